/**
 * Novita's GPU instance API on loopback, as its documentation tells it
 * (https://novita.ai/docs/api-reference/gpu-instance-create-instance and its neighbours). It keeps instances, and
 * refuses what is not of the documented form.
 */
import * as z from 'zod';
import {
  startFaultyServer,
  type FakeAnswer,
  type FakeRequest,
  type FaultyServer,
  type ProviderFault,
} from './provider-contract-server.ts';
import type { ProviderFake } from './provider-contract-support.ts';

export interface NovitaFakeOptions {
  readonly apiKey: string;
  /** What the documentation leaves open: the number of the first page; 1 answers page 0 with page 1. */
  readonly firstPage?: 0 | 1;
  /** Pages are never larger than that; 100 by default. */
  readonly maxPageSize?: number;
  /** Whether a list tells how many there are. */
  readonly tellsTotal?: boolean;
}

export interface FakeInstance {
  readonly id: string;
  readonly name: string;
  status: string;
  statusError: { readonly state: string; readonly message: string };
  readonly productId: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly ports: string;
  log: readonly string[];
}

export interface NovitaFake extends ProviderFake {
  readonly baseUrl: string;
  readonly instances: Map<string, FakeInstance>;
  /** Bodies of all accepted requests for an instance. */
  readonly created: readonly Record<string, unknown>[];
  /** Sold out, but still told as available: another one was faster. */
  raceFor(products: readonly string[]): void;
  /** Only stopped instances can be deleted. */
  refuseToDeleteRunning(): void;
  addNamed(name: string, status?: string): string;
  answerNext(...answers: readonly FakeAnswer[]): void;
  stop(): Promise<void>;
}

interface World {
  readonly options: Required<NovitaFakeOptions>;
  readonly instances: Map<string, FakeInstance>;
  readonly created: Record<string, unknown>[];
  soldOut: ReadonlySet<string>;
  raced: ReadonlySet<string>;
  deletesRunning: boolean;
  count: number;
  url: string;
}

/** Hundred-thousandths of a dollar an hour; at times as text. */
const PRODUCTS: Readonly<Record<string, { readonly name: string; readonly price: number | string }>> = {
  '4090.16c62g': { name: 'RTX 4090 24GB', price: '35000' },
  'A100-80GB.14c240g': { name: 'A100 SXM 80GB', price: 160_000 },
  'monthly-only': { name: 'H100', price: 0 },
};

const createSchema = z.strictObject({
  name: z.string().max(255),
  productId: z.string().min(1).max(255),
  gpuNum: z.int().min(1).max(8),
  rootfsSize: z.int().min(10).max(6144),
  imageUrl: z.string().min(1).max(500),
  imageAuthId: z.string().optional(),
  clusterId: z.string().optional(),
  ports: z.string().regex(/^(?!222[234]\/)\d{1,5}\/(http|tcp)$/),
  envs: z.array(z.strictObject({ key: z.string().max(511), value: z.string().max(4095) })).max(100),
  kind: z.literal('gpu'),
  billingMode: z.enum(['onDemand', 'spot']),
});
const actionSchema = z.strictObject({ instanceId: z.string().min(1) });

const json = (status: number, body: unknown): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const problem = (code: number, reason: string, message: string): FakeAnswer =>
  json(code, { code, reason, message, metadata: {} });

const notFound = (): FakeAnswer => problem(400, 'RESOURCE_NOT_FOUND', 'instance not found');

const addInstance = (world: World, told: Omit<FakeInstance, 'id' | 'statusError' | 'log'>): FakeInstance => {
  world.count += 1;
  const made = { ...told, id: `inst${world.count}f3a9`, statusError: { state: '', message: '' }, log: [] };
  world.instances.set(made.id, made);
  return made;
};

const create = (world: World, body: unknown): FakeAnswer => {
  const read = createSchema.safeParse(body);
  if (!read.success) return problem(400, 'INVALID_PARAMETER', read.error.issues[0]?.message ?? '');
  const { name, productId, envs, ports } = read.data;
  if (PRODUCTS[productId] === undefined) return problem(400, 'INVALID_PARAMETER', 'unknown product');
  if (world.soldOut.has(productId) || world.raced.has(productId)) {
    world.soldOut = new Set([...world.soldOut, productId]);
    return problem(400, 'CREATE_INSTANCE_FAILED', 'insufficient resources');
  }
  world.created.push(read.data);
  return json(200, { id: addInstance(world, { name, productId, envs, ports, status: 'toCreate' }).id });
};

const portsOf = ({ id, ports, status }: FakeInstance, withEndpoint: boolean): Record<string, unknown>[] =>
  ports.split(',').map((text) => {
    const [port = '', type = ''] = text.trim().split('/');
    const endpoint = status === 'running' ? `https://${id}-${port}.us-01.gpu-instance.novita.ai` : '';
    return { port: Number(port), type, ...(withEndpoint ? { endpoint } : {}) };
  });

const shown = (instance: FakeInstance): Record<string, unknown> => {
  const { id, name, status, statusError, productId, envs } = instance;
  const told = { id, name, clusterId: '7', status, statusError, productId, envs, gpuNum: '1' };
  return { ...told, billingMode: 'onDemand', endTime: '-1' };
};

const list = ({ options, instances }: World, query: URLSearchParams): FakeAnswer => {
  const asked = z
    .object({ pageSize: z.coerce.number().int().min(0), pageNum: z.coerce.number().int().min(0) })
    .safeParse({ pageSize: query.get('pageSize') ?? 'none', pageNum: query.get('pageNum') ?? 'none' });
  if (!asked.success) return problem(400, 'INVALID_PARAMETER', 'pageSize and pageNum are required');
  const size = Math.min(asked.data.pageSize, options.maxPageSize);
  const start = Math.max(asked.data.pageNum - options.firstPage, 0) * size;
  const page = [...instances.values()].slice(start, start + size);
  return json(200, {
    instances: page.map((instance) => ({ ...shown(instance), portMappings: portsOf(instance, false) })),
    ...(options.tellsTotal ? { total: instances.size } : {}),
  });
};

const details = ({ instances, url }: World, query: URLSearchParams): FakeAnswer => {
  const instance = instances.get(query.get('instanceId') ?? '');
  if (instance === undefined) return notFound();
  const isUp = instance.status === 'running';
  const instanceLogAddress = isUp ? `${url}/logs/${instance.id}?part=instance` : '';
  return json(200, {
    ...shown(instance),
    portMappings: portsOf(instance, true),
    connectComponentLog: { systemLogAddress: '', instanceLogAddress, isRunning: isUp },
  });
};

const products = ({ soldOut }: World): FakeAnswer =>
  json(200, {
    data: Object.entries(PRODUCTS).map(([id, { name, price }]) => ({
      id,
      name,
      price,
      availableDeploy: !soldOut.has(id),
      inventoryState: soldOut.has(id) ? 'none' : 'normal',
      regions: [],
      billingMethods: ['onDemand', 'spot'],
    })),
  });

const act = (world: World, action: string, body: unknown): FakeAnswer => {
  const read = actionSchema.safeParse(body);
  if (!read.success) return problem(400, 'INVALID_PARAMETER', 'instanceId is required');
  const instance = world.instances.get(read.data.instanceId);
  if (instance === undefined || instance.status === 'removed') return notFound();
  if (action === 'delete' && !world.deletesRunning && instance.status !== 'exited') {
    return problem(400, 'INSTANCE_STATUS_INVALID', 'stop it first');
  }
  instance.status = action === 'stop' ? 'toStop' : 'toRemove';
  return json(200, {});
};

/** The log's own place: not the API's, and a key that comes here has leaked. */
const log = ({ instances }: World, { headers }: FakeRequest, url: URL): FakeAnswer => {
  if (headers.authorization !== undefined) return { status: 400, body: 'a key!' };
  const instance = instances.get(url.pathname.split('/')[2] ?? '');
  if (instance === undefined || url.searchParams.get('part') !== 'instance') return { status: 404 };
  const lines = instance.log.slice(-Number(url.searchParams.get('tail')));
  return {
    status: 200,
    headers: { 'content-type': 'text/plain' },
    body: lines.map((l) => `${l}\n`).join(''),
  };
};

const isCreate = ({ method, path }: FakeRequest): boolean =>
  method === 'POST' && path === '/openapi/v1/gpu/instance/create';

const answerOf = (world: World, request: FakeRequest): FakeAnswer => {
  const url = new URL(request.path, 'http://fake');
  if (url.pathname.startsWith('/logs/')) return log(world, request, url);
  if (request.headers.authorization !== `Bearer ${world.options.apiKey}`) {
    return problem(401, 'INVALID_API_KEY', 'API key is missing or incorrect');
  }
  if (request.method === 'GET') {
    if (url.pathname === '/openapi/v1/gpu/instances') return list(world, url.searchParams);
    if (url.pathname === '/openapi/v1/gpu/instance') return details(world, url.searchParams);
    return url.pathname === '/openapi/v1/products' ? products(world) : { status: 404 };
  }
  if (request.headers['content-type'] !== 'application/json') {
    return problem(400, 'INVALID_PARAMETER', 'expected application/json');
  }
  const body: unknown = JSON.parse(request.body);
  if (isCreate(request)) return create(world, body);
  const action = /^\/openapi\/v1\/gpu\/instance\/(stop|delete)$/.exec(url.pathname)?.[1];
  return request.method === 'POST' && action !== undefined ? act(world, action, body) : { status: 404 };
};

const faultAnswer = (fault: ProviderFault, message: string): FakeAnswer | undefined => {
  if (fault === 'unauthorized') return problem(401, 'INVALID_API_KEY', message);
  if (fault === 'forbidden') return problem(403, 'NOT_ENOUGH_BALANCE', message);
  return fault === 'serverError' ? problem(500, 'INTERNAL', message) : undefined;
};

const settled = (status: string): string => {
  if (['toCreate', 'creating', 'pulling', 'toStart', 'starting'].includes(status)) return 'running';
  if (['toStop', 'stopping'].includes(status)) return 'exited';
  return ['toRemove', 'removing'].includes(status) ? 'removed' : status;
};

const fakeOn = (server: FaultyServer, world: World, queue: FakeAnswer[]): NovitaFake => ({
  server,
  baseUrl: `${server.url}/openapi/v1`,
  products: ['4090.16c62g', 'A100-80GB.14c240g'],
  secrets: [world.options.apiKey],
  instances: world.instances,
  created: world.created,
  sellOut: (ids) => void (world.soldOut = new Set(ids)),
  raceFor: (ids) => void (world.raced = new Set(ids)),
  refuseToDeleteRunning: () => void (world.deletesRunning = false),
  running: () =>
    [...world.instances.values()].filter(({ status }) => status !== 'removed').map(({ id }) => id),
  environmentOf: (instanceId) =>
    Object.fromEntries((world.instances.get(instanceId)?.envs ?? []).map(({ key, value }) => [key, value])),
  addNamed: (name, status = 'running') =>
    addInstance(world, { name, status, productId: 'monthly-only', envs: [], ports: '8080/http' }).id,
  addForeign: () =>
    addInstance(world, { name: 'gpu-test', status: 'running', productId: 'x', envs: [], ports: '80/http' })
      .id,
  settle: () => {
    for (const instance of world.instances.values()) instance.status = settled(instance.status);
  },
  writeLog: (instanceId, lines) => {
    const instance = world.instances.get(instanceId);
    if (instance !== undefined) instance.log = lines;
  },
  answerNext: (...answers) => void queue.push(...answers),
  stop: () => server.stop(),
});

export const startNovitaFake = async ({
  apiKey,
  firstPage = 1,
  maxPageSize = 100,
  tellsTotal = true,
}: NovitaFakeOptions): Promise<NovitaFake> => {
  const world: World = {
    options: { apiKey, firstPage, maxPageSize, tellsTotal },
    instances: new Map(),
    created: [],
    soldOut: new Set(),
    raced: new Set(),
    deletesRunning: true,
    count: 0,
    url: '',
  };
  const queue: FakeAnswer[] = [];
  const server = await startFaultyServer({
    answer: (request) => queue.shift() ?? answerOf(world, request),
    isLaunch: isCreate,
    faultAnswer,
  });
  world.url = server.url;
  return fakeOn(server, world, queue);
};
