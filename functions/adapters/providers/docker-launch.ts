/** A launch on Docker: finds what is there, chooses a free place, creates, pulls where the image is missing, starts. */
import type { Clock } from '../../core/ports.ts';
import type {
  LaunchAnswer,
  LaunchRequest,
  ProviderInstance,
  ProviderRefusal,
} from '../../core/providers/worker-provider.ts';
import type { DockerApi, DockerDone } from './docker-api.ts';
import {
  containerBody,
  containerName,
  instanceOf,
  labelsOf,
  placeOf,
  POOL_LABEL,
  seenInspected,
  seenListed,
  type ContainerPlan,
  type DockerProduct,
} from './docker-container.ts';
import type { PendingLaunches } from './docker-pulls.ts';

export interface DockerLaunchContext {
  readonly api: DockerApi;
  readonly pending: PendingLaunches;
  readonly products: readonly DockerProduct[];
  readonly prices: ReadonlyMap<string, number>;
  readonly clock: Clock;
}

export type Looked =
  | { readonly kind: 'found'; readonly instance: ProviderInstance; readonly isStarted: boolean }
  | { readonly kind: 'absent' }
  /** Someone else's container of that name. */
  | { readonly kind: 'foreign' }
  | ProviderRefusal;

type Context = DockerLaunchContext;

/** The container of that name, which must be a name of ours. */
export const look = async ({ api, prices }: Context, name: string, signal: AbortSignal): Promise<Looked> => {
  const reading = await api.inspect(name, signal);
  if (reading.kind !== 'read') return reading;
  const instance = instanceOf(seenInspected(reading.value), prices);
  if (instance === undefined || instance.instanceId !== name) return { kind: 'foreign' };
  return { kind: 'found', instance, isStarted: reading.value.State.Status !== 'created' };
};

const noCapacity = (message: string): ProviderRefusal => ({ kind: 'noCapacity', message });
const secretsOf = ({ environment }: LaunchRequest): string[] => Object.values(environment);

/** How many hold each place, of every pool. */
export const takenPlaces = async (
  { api, pending }: Context,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | ProviderRefusal> => {
  const listing = await api.list(POOL_LABEL, signal);
  if (listing.kind === 'absent') return { kind: 'unavailable', message: 'Docker has no list of containers' };
  if (listing.kind !== 'read') return listing;
  const places = new Map<string, string | undefined>(pending.places());
  for (const seen of listing.value.map(seenListed)) places.set(seen.name, placeOf(seen));
  const taken = new Map<string, number>();
  for (const place of places.values()) {
    if (place !== undefined) taken.set(place, (taken.get(place) ?? 0) + 1);
  }
  return taken;
};

const fits = ({ deviceIds }: DockerProduct, gpuCount: number): boolean =>
  gpuCount === 0 || deviceIds === undefined || gpuCount <= deviceIds.length;

/** Starts what is created. A place without its GPU leaves nothing behind. */
const startCreated = async (api: DockerApi, name: string, signal: AbortSignal): Promise<DockerDone> => {
  const started = await api.start(name, signal);
  if (started.kind !== 'noCapacity') return started;
  const removed = await api.remove(name, signal);
  return removed.kind === 'done' || removed.kind === 'absent' ? started : removed;
};

const refusalFrom = (done: Exclude<DockerDone, { kind: 'done' }>): ProviderRefusal =>
  done.kind === 'absent' || done.kind === 'conflict'
    ? { kind: 'unavailable', message: `Docker: the container is in another state (${done.kind})` }
    : done;

const started = async (context: Context, name: string, signal: AbortSignal): Promise<LaunchAnswer> => {
  const done = await startCreated(context.api, name, signal);
  if (done.kind !== 'done') return refusalFrom(done);
  const looked = await look(context, name, signal);
  if (looked.kind === 'found') return { kind: 'launched', instance: looked.instance };
  return looked.kind === 'absent' || looked.kind === 'foreign' ? refusalFrom({ kind: 'absent' }) : looked;
};

/** What is there under that name already; started where a launch was cut before it could be. */
const takeUp = async (context: Context, name: string, signal: AbortSignal) => {
  const looked = await look(context, name, signal);
  if (looked.kind === 'foreign') {
    return { kind: 'rejected', message: 'a container of that name is not ours' } as const;
  }
  if (looked.kind !== 'found') return looked;
  if (looked.isStarted) return { kind: 'launched', instance: looked.instance } as const;
  return await started(context, name, signal);
};

/** The image is missing: the rest goes on behind the answer. */
const pullBehind = (context: Context, plan: ContainerPlan): LaunchAnswer => {
  const { api, pending, prices } = context;
  const { request, product, launchedAt } = plan;
  const name = containerName(request.pool, request.workerId);
  const seen = {
    name,
    labels: labelsOf(plan),
    state: 'starting',
    createdAt: launchedAt,
    hostPort: undefined,
  } as const;
  const instance = instanceOf(seen, prices);
  if (instance === undefined) return { kind: 'rejected', message: 'the name does not fit' };
  pending.begin(instance, product.id, async (signal) => {
    const pulled = await api.pull(request.image, signal);
    if (pulled.kind !== 'done') return pulled;
    const created = await api.create(name, containerBody(plan), secretsOf(request), signal);
    return created.kind === 'done' || created.kind === 'conflict'
      ? await startCreated(api, name, signal)
      : created;
  });
  return { kind: 'launched', instance };
};

const tryPlace = async (
  context: Context,
  plan: ContainerPlan,
  signal: AbortSignal,
): Promise<LaunchAnswer> => {
  const { request } = plan;
  const name = containerName(request.pool, request.workerId);
  const created = await context.api.create(name, containerBody(plan), secretsOf(request), signal);
  if (created.kind === 'absent') return pullBehind(context, plan);
  if (created.kind === 'done') return await started(context, name, signal);
  if (created.kind !== 'conflict') return created;
  // Another process was faster.
  const taken = await takeUp(context, name, signal);
  return taken.kind === 'absent' ? refusalFrom({ kind: 'conflict' }) : taken;
};

/** One launch. Places are counted first, so that calls of it must not overlap. */
export const launchOnDocker = async (
  context: Context,
  request: LaunchRequest,
  signal: AbortSignal,
): Promise<LaunchAnswer> => {
  const name = containerName(request.pool, request.workerId);
  const waiting = context.pending.get(name);
  if (waiting !== undefined) return { kind: 'launched', instance: waiting };
  const there = await takeUp(context, name, signal);
  if (there.kind !== 'absent' && there.kind !== 'noCapacity') return there;
  const taken = await takenPlaces(context, signal);
  if ('kind' in taken) return taken;
  const launchedAt = new Date(context.clock.now()).toISOString();
  let answer: LaunchAnswer = noCapacity('no such place on this machine');
  for (const id of request.products) {
    const product = context.products.find((known) => known.id === id);
    if (product === undefined || !fits(product, request.gpuCount)) continue;
    if ((taken.get(id) ?? 0) >= (product.slots ?? 1)) answer = noCapacity(`every slot of ${id} is taken`);
    else answer = await tryPlace(context, { request, product, launchedAt }, signal);
    if (answer.kind !== 'noCapacity') return answer;
  }
  return answer;
};
