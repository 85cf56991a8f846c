/** One launch on Novita: look first, then the products in turn. */
import * as z from 'zod';
import type {
  LaunchAnswer,
  LaunchRequest,
  ListAnswer,
  ProviderInstance,
  ProviderProduct,
  ProviderRefusal,
  TerminateAnswer,
} from '../../core/providers/worker-provider.ts';
import { listProducts } from './novita-api.ts';
import type { ApiSession } from './novita-runpod-api.ts';
import { instanceNameOf, readInstanceName } from './novita-runpod-name.ts';
import { environmentOf, keepOldest, launchProblem } from './provider-launch.ts';

export interface LaunchPlace {
  readonly session: ApiSession;
  readonly baseUrl: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What is there of the request's worker. */
  find(): Promise<ListAnswer>;
  terminate(instanceId: string): Promise<TerminateAnswer>;
  /** More fields of each request. */
  readonly extras: Readonly<Record<string, string>>;
}

const createdSchema = z.object({ id: z.string().min(1) });

/** Used inside Novita. */
const RESERVED_PORTS: readonly number[] = [2222, 2223, 2224];
const MIN_DISK_GB = 10;

const isLength = (text: string, min: number, max: number): boolean =>
  text.length >= min && text.length <= max;

const isEnvironment = (environment: LaunchRequest['environment']): boolean => {
  const entries = Object.entries(environment);
  return (
    entries.length <= 100 &&
    entries.every(([key, value]) => isLength(key, 1, 511) && isLength(value, 0, 4095))
  );
};

const nameOf = ({ pool, workerId, leaseUntil }: LaunchRequest, now: number, price: number | null): string =>
  instanceNameOf({
    pool,
    workerId,
    launchedAt: now,
    leaseUntil: Date.parse(leaseUntil),
    pricePerHour: price,
  });

/** The limits of https://novita.ai/docs/api-reference/gpu-instance-create-instance. */
const problemOf = (request: LaunchRequest, now: number): ProviderRefusal | undefined => {
  const problem = launchProblem(request);
  if (problem !== undefined) return problem;
  const { products } = request;
  const problems: Readonly<Record<string, boolean>> = {
    products: products.length === 0 || !products.every((id) => id.trim() !== '' && isLength(id, 1, 255)),
    image: !isLength(request.image, 1, 500),
    environment: !isEnvironment(environmentOf(request)),
    port: RESERVED_PORTS.includes(request.port),
    gpuCount: request.gpuCount < 1 || request.gpuCount > 8,
    diskGb: request.diskGb > 6144,
    // Else nobody could read from the instance until when it may live.
    leaseUntil: readInstanceName(nameOf(request, now, null)) === undefined,
  };
  const wrong = Object.keys(problems).find((name) => problems[name] === true);
  return wrong === undefined ? undefined : { kind: 'rejected', message: `launch: ${wrong} does not fit` };
};

/** What is billed: the product's price times the GPUs (https://novita.ai/docs/guides/gpu-instance-pricing). */
const priceOf = (product: ProviderProduct | undefined, gpuCount: number): number | null => {
  const price = product?.pricePerHour ?? null;
  return price === null ? null : price * gpuCount;
};

const bodyOf = (
  request: LaunchRequest,
  productId: string,
  name: string,
  extras: LaunchPlace['extras'],
): Record<string, unknown> => ({
  name,
  productId,
  gpuNum: request.gpuCount,
  rootfsSize: Math.max(MIN_DISK_GB, request.diskGb),
  imageUrl: request.image,
  ports: `${request.port}/http`,
  envs: Object.entries(environmentOf(request)).map(([key, value]) => ({ key, value })),
  kind: 'gpu',
  billingMode: 'onDemand',
  ...extras,
});

const launchedAs = (
  request: LaunchRequest,
  place: LaunchPlace,
  id: string,
  price: number | null,
): ProviderInstance => ({
  instanceId: id,
  provider: 'novita',
  pool: request.pool,
  workerId: request.workerId,
  state: 'starting',
  launchedAt: new Date(place.now).toISOString(),
  leaseUntil: new Date(request.leaseUntil).toISOString(),
  pricePerHour: price,
  address: null,
});

/** One product. Only `noCapacity` says for certain that nothing was made and that another may be tried. */
const create = async (
  request: LaunchRequest,
  place: LaunchPlace,
  productId: string,
  product: ProviderProduct | undefined,
): Promise<LaunchAnswer> => {
  const price = priceOf(product, request.gpuCount);
  const body = bodyOf(request, productId, nameOf(request, place.now, price), place.extras);
  const call = { method: 'POST', url: `${place.baseUrl}/gpu/instance/create`, body } as const;
  const read = await place.session.read(call, createdSchema);
  if (read.kind === 'read') {
    return { kind: 'launched', instance: launchedAs(request, place, read.value.id, price) };
  }
  if (read.kind !== 'rejected') return read;
  // No code for «sold out» is documented; whether the product can be had is. It may have gone in between.
  const products = await listProducts(place.session, place.baseUrl);
  const again = products.kind === 'read' ? products.value.find(({ id }) => id === productId) : undefined;
  return again?.available === false ? { kind: 'noCapacity', message: read.message } : read;
};

const createInTurn = async (request: LaunchRequest, place: LaunchPlace): Promise<LaunchAnswer> => {
  const products = await listProducts(place.session, place.baseUrl);
  if (products.kind !== 'read') return products;
  let answer: LaunchAnswer = { kind: 'noCapacity', message: 'none of the products can be had now' };
  for (const productId of request.products) {
    const product = products.value.find(({ id }) => id === productId);
    if (product?.available === false) continue;
    answer = await create(request, place, productId, product);
    if (answer.kind !== 'noCapacity') return answer;
  }
  return answer;
};

/**
 * The instance of that worker that is there, or a new one. Whatever ends without a clear answer stays `unavailable`:
 * the next launch finds by its name what came of it.
 */
export const launchOn = async (request: LaunchRequest, place: LaunchPlace): Promise<LaunchAnswer> => {
  const problem = problemOf(request, place.now);
  if (problem !== undefined) return problem;
  const listed = await place.find();
  if (listed.kind !== 'listed') return listed;
  const [there] = listed.instances;
  if (there !== undefined) return { kind: 'launched', instance: there };
  const answer = await createInTurn(request, place);
  if (answer.kind !== 'launched') return answer;
  const instance = await keepOldest(
    answer.instance,
    () => place.find(),
    (instanceId) => place.terminate(instanceId),
  );
  return { kind: 'launched', instance };
};
