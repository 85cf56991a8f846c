/**
 * RunPod on loopback: its REST API for pods and its GraphQL list of GPU types, as their documentation tells them
 * (https://docs.runpod.io/api-reference/pods/POST/pods, https://docs.runpod.io/sdks/graphql/manage-pods). It keeps
 * pods, and refuses what is not of the documented form.
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

export interface RunpodFakeOptions {
  readonly apiKey: string;
  /** GPU type ids (also CPU flavors) that exist, with US dollars an hour in the secure cloud. */
  readonly gpuTypes?: Readonly<Record<string, number>>;
}

export interface FakePod {
  readonly id: string;
  name: string;
  desiredStatus: string;
  costPerHr: unknown;
  readonly env: Readonly<Record<string, string>>;
  ports: readonly string[] | null;
  readonly product: string;
}

export interface RunpodFake extends ProviderFake {
  readonly baseUrl: string;
  readonly graphqlUrl: string;
  readonly pods: Map<string, FakePod>;
  /** Bodies of all accepted requests for a pod. */
  readonly created: readonly Record<string, unknown>[];
  /** The next answers, as they are, in place of what it would say; requests have no effect. */
  answerNext(...answers: readonly FakeAnswer[]): void;
  stop(): Promise<void>;
}

const GPU_TYPES = { 'NVIDIA GeForce RTX 4090': 0.69, 'NVIDIA RTX A5000': 0.27, cpu3c: 0.06 };
const NO_CAPACITY = 'create pod: There are no instances currently available';

/** https://docs.runpod.io/api-reference/pods/POST/pods; unknown keys are refused, so that a misspelt one is seen. */
const createSchema = z.strictObject({
  name: z.string().max(191),
  imageName: z.string().min(1),
  computeType: z.enum(['GPU', 'CPU']),
  gpuTypeIds: z.array(z.string()).min(1).optional(),
  gpuTypePriority: z.enum(['availability', 'custom']).optional(),
  gpuCount: z.int().min(1).optional(),
  cpuFlavorIds: z.array(z.string()).min(1).optional(),
  cpuFlavorPriority: z.enum(['availability', 'custom']).optional(),
  cloudType: z.enum(['SECURE', 'COMMUNITY']),
  containerDiskInGb: z.int().min(1),
  volumeInGb: z.int().min(0),
  env: z.record(z.string(), z.string()),
  ports: z.array(z.string().regex(/^\d{1,5}\/(http|tcp)$/)),
  interruptible: z.boolean(),
  containerRegistryAuthId: z.string().optional(),
});

const json = (status: number, body: unknown): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const problem = (status: number, error: string): FakeAnswer => json(status, { error, status });

interface World {
  readonly apiKey: string;
  readonly gpuTypes: Readonly<Record<string, number>>;
  readonly pods: Map<string, FakePod>;
  readonly created: Record<string, unknown>[];
  soldOut: ReadonlySet<string>;
  count: number;
}

const addPod = (world: World, pod: Omit<FakePod, 'id' | 'desiredStatus'>): FakePod => {
  world.count += 1;
  const made = { ...pod, id: `pod${world.count}xedezhzb9`, desiredStatus: 'RUNNING' };
  world.pods.set(made.id, made);
  return made;
};

const createPod = (world: World, request: FakeRequest): FakeAnswer => {
  const read = createSchema.safeParse(JSON.parse(request.body));
  if (!read.success) return problem(400, `invalid input: ${read.error.issues[0]?.message ?? ''}`);
  const { name, env, ports, gpuCount = 1 } = read.data;
  const asked = read.data.computeType === 'GPU' ? read.data.gpuTypeIds : read.data.cpuFlavorIds;
  if (asked === undefined || asked.some((id) => world.gpuTypes[id] === undefined)) {
    return problem(400, 'invalid input: unknown type id');
  }
  const product = asked.find((id) => !world.soldOut.has(id));
  if (product === undefined) return problem(500, NO_CAPACITY);
  world.created.push(read.data);
  const costPerHr = String((world.gpuTypes[product] ?? 0) * gpuCount);
  return json(201, addPod(world, { name, env, ports, product, costPerHr }));
};

const onePod = ({ pods }: World, { method }: FakeRequest, id: string): FakeAnswer => {
  const pod = pods.get(id);
  if (pod === undefined) return problem(404, 'pod not found');
  if (method === 'GET') return json(200, pod);
  if (method !== 'DELETE') return problem(405, 'method not allowed');
  pods.delete(id);
  return { status: 204 };
};

/** `query { gpuTypes { … } }`, and no more of GraphQL than that. */
const gpuTypes = ({ gpuTypes: known, soldOut }: World, { body }: FakeRequest): FakeAnswer => {
  const { query } = z.object({ query: z.string() }).parse(JSON.parse(body));
  if (!/^query \{ gpuTypes \{ .* \} \}$/.test(query)) {
    return json(200, {
      errors: [{ message: 'Cannot query', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
  }
  const types = Object.entries(known).map(([id, securePrice]) => ({
    id,
    displayName: id.replace('NVIDIA ', ''),
    securePrice,
    communityPrice: securePrice / 2,
    lowestPrice: { stockStatus: soldOut.has(id) ? null : 'High' },
  }));
  return json(200, { data: { gpuTypes: types } });
};

const isCreate = ({ method, path }: FakeRequest): boolean => method === 'POST' && path === '/v1/pods';

const answerOf = (world: World, request: FakeRequest): FakeAnswer => {
  if (request.headers.authorization !== `Bearer ${world.apiKey}`) return problem(401, 'Unauthorized');
  if (request.body !== '' && request.headers['content-type'] !== 'application/json') {
    return problem(400, 'expected application/json');
  }
  if (request.method === 'POST' && request.path === '/graphql') return gpuTypes(world, request);
  if (isCreate(request)) return createPod(world, request);
  if (request.method === 'GET' && request.path === '/v1/pods') return json(200, [...world.pods.values()]);
  const id = /^\/v1\/pods\/([^/?]+)$/.exec(request.path)?.[1];
  return id === undefined ? problem(404, 'not found') : onePod(world, request, decodeURIComponent(id));
};

const faultAnswer = (fault: ProviderFault, message: string): FakeAnswer | undefined => {
  const status = { unauthorized: 401, forbidden: 403, serverError: 500 }[fault as string];
  return status === undefined ? undefined : problem(status, message);
};

const fakeOn = (server: FaultyServer, world: World, queue: FakeAnswer[]): RunpodFake => ({
  server,
  baseUrl: `${server.url}/v1`,
  graphqlUrl: `${server.url}/graphql`,
  products: ['NVIDIA GeForce RTX 4090', 'NVIDIA RTX A5000'],
  secrets: [world.apiKey],
  pods: world.pods,
  created: world.created,
  sellOut: (products) => void (world.soldOut = new Set(products)),
  // A stopped pod keeps its disk, and costs.
  running: () =>
    [...world.pods.values()].filter((pod) => pod.desiredStatus !== 'TERMINATED').map(({ id }) => id),
  environmentOf: (instanceId) => world.pods.get(instanceId)?.env ?? {},
  addForeign: () =>
    addPod(world, { name: 'my pod', env: {}, ports: ['8888/http'], product: 'cpu3c', costPerHr: 0.06 }).id,
  settle: () => undefined,
  answerNext: (...answers) => void queue.push(...answers),
  stop: () => server.stop(),
});

export const startRunpodFake = async ({
  apiKey,
  gpuTypes: known = GPU_TYPES,
}: RunpodFakeOptions): Promise<RunpodFake> => {
  const world: World = {
    apiKey,
    gpuTypes: known,
    pods: new Map(),
    created: [],
    soldOut: new Set(),
    count: 0,
  };
  const queue: FakeAnswer[] = [];
  const server = await startFaultyServer({
    answer: (request) => queue.shift() ?? answerOf(world, request),
    isLaunch: isCreate,
    faultAnswer,
  });
  return fakeOn(server, world, queue);
};
