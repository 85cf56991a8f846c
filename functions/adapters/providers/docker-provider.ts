/** Workers as containers of one machine with Docker, over its Engine API. */
import type { Clock } from '../../core/ports.ts';
import { isPoolOfStage, type ListAnswer, type WorkerProvider } from '../../core/providers/worker-provider.ts';
import { systemClock } from '../system.ts';
import { createDockerApi } from './docker-api.ts';
import {
  instanceOf,
  isContainerName,
  POOL_LABEL,
  seenListed,
  type DockerProduct,
} from './docker-container.ts';
import { launchOnDocker, look, takenPlaces, type DockerLaunchContext } from './docker-launch.ts';
import { demultiplex, lastLines } from './docker-logs.ts';
import { createPendingLaunches } from './docker-pulls.ts';
import { withDeadline } from './provider-deadline.ts';
import { launchProblem } from './provider-launch.ts';

export interface DockerProviderOptions {
  /** `unix:///var/run/docker.sock` by default; `tcp://`, `http://` and `https://` too. */
  readonly host?: string;
  /** Headers of every request, such as the authorization of a proxy before the engine. Never logged. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `X-Registry-Auth` for pulls: base64url of `{username, password, serveraddress}`. Never logged. */
  readonly registryAuth?: string;
  /** Where workers may run; by default one place with any GPU, `gpu`, and one without, `cpu`. */
  readonly products?: readonly DockerProduct[];
  /** Seconds that ComfyUI and its monitor have to end before they are killed; 10 by default, at most 15. */
  readonly stopSeconds?: number;
  /** Milliseconds of one call; 10 s by default. */
  readonly timeoutMs?: number;
  /** Milliseconds of the pull of an image, which goes on after `launch` has answered; 1 hour by default. */
  readonly pullTimeoutMs?: number;
  readonly clock?: Clock;
  /** Ends pulls that still go on, so that the process can end. */
  readonly signal?: AbortSignal;
}

const METHOD_MS = 28_000;
const MAX_LOG_LINES = 1000;
const MAX_STOP_SECONDS = 15;
const PLACES: readonly DockerProduct[] = [
  { id: 'gpu', name: 'any GPU of this machine' },
  { id: 'cpu', name: 'no GPU' },
];

/** Lets tasks run one after another. */
const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(task, task);
    last = turn.catch(() => undefined);
    return turn;
  };
};

const createContext = (options: DockerProviderOptions): DockerLaunchContext => {
  const { clock = systemClock, products = PLACES } = options;
  const prices = products.flatMap(({ id, pricePerHour }) =>
    pricePerHour === undefined ? [] : [[id, pricePerHour] as const],
  );
  const api = createDockerApi({
    host: options.host ?? 'unix:///var/run/docker.sock',
    headers: options.headers ?? {},
    ...(options.registryAuth === undefined ? {} : { registryAuth: options.registryAuth }),
    timeoutMs: options.timeoutMs ?? 10_000,
    pullTimeoutMs: options.pullTimeoutMs ?? 60 * 60_000,
    clock,
  });
  const pending = createPendingLaunches(options.signal);
  return { api, pending, products, prices: new Map(prices), clock };
};

/** @param label that of one pool, or of all */
const listPools = async (
  { api, pending, prices }: DockerLaunchContext,
  { label, isAsked }: { readonly label: string; readonly isAsked: (pool: string) => boolean },
  signal: AbortSignal,
): Promise<ListAnswer> => {
  // Before Docker is asked: what is created meanwhile is then told of twice, and not at all otherwise.
  const waiting = pending.inPools(isAsked);
  const listing = await api.list(label, signal);
  if (listing.kind === 'absent') return { kind: 'unavailable', message: 'Docker has no list of containers' };
  if (listing.kind !== 'read') return listing;
  const listed = listing.value
    .flatMap((container) => instanceOf(seenListed(container), prices) ?? [])
    .filter(({ pool }) => isAsked(pool));
  const there = new Set(listed.map(({ instanceId }) => instanceId));
  return {
    kind: 'listed',
    instances: [...listed, ...waiting.filter(({ instanceId }) => !there.has(instanceId))],
  };
};

type Method<T> = (context: DockerLaunchContext, signal: AbortSignal) => Promise<T>;

const terminate =
  (name: string, stopSeconds: number): Method<Awaited<ReturnType<WorkerProvider['terminate']>>> =>
  async (context, signal) => {
    const wasPending = context.pending.drop(name);
    const looked = await look(context, name, signal);
    if (looked.kind === 'absent' && wasPending) return { kind: 'terminated' };
    if (looked.kind === 'absent' || looked.kind === 'foreign') return { kind: 'absent' };
    if (looked.kind !== 'found') return looked;
    const stopped = await context.api.stop(name, stopSeconds, signal);
    if (stopped.kind !== 'done' && stopped.kind !== 'absent' && stopped.kind !== 'conflict') return stopped;
    const removed = await context.api.remove(name, signal);
    if (removed.kind === 'absent' || removed.kind === 'conflict') return { kind: 'terminated' };
    return removed.kind === 'done' ? { kind: 'terminated' } : removed;
  };

const logs =
  (name: string, lines: number): Method<Awaited<ReturnType<WorkerProvider['logs']>>> =>
  async (context, signal) => {
    const looked = await look(context, name, signal);
    if (looked.kind === 'absent' && context.pending.get(name) !== undefined) {
      return { kind: 'logs', lines: [context.pending.failureOf(name) ?? 'the image is being pulled'] };
    }
    if (looked.kind === 'absent' || looked.kind === 'foreign') return { kind: 'absent' };
    if (looked.kind !== 'found') return looked;
    const count = Math.min(Math.max(Math.trunc(lines), 1), MAX_LOG_LINES);
    const answer = await context.api.logs(name, count, signal);
    if (answer.kind !== 'answer') return answer;
    const text = demultiplex(answer.bytes);
    if (text === undefined) return { kind: 'unavailable', message: 'Docker: the log does not read' };
    return { kind: 'logs', lines: lastLines(text, count) };
  };

const products: Method<Awaited<ReturnType<WorkerProvider['products']>>> = async (context, signal) => {
  const taken = await takenPlaces(context, signal);
  if ('kind' in taken) return taken;
  return {
    kind: 'products',
    products: context.products.map(({ id, name, slots = 1, pricePerHour = null }) => ({
      id,
      name: name ?? id,
      pricePerHour,
      available: (taken.get(id) ?? 0) < slots,
    })),
  };
};

/**
 * Workers on the Docker Engine of one machine (docs.docker.com/reference/api/engine/version/v1.44, engine 25 and
 * later). An instance is a container; its id is its name, which is made of pool and worker id, so that none is made
 * twice. A missing image is pulled behind the answer: the process must live on, so this is no provider for a Lambda.
 */
export const createDockerProvider = (options: DockerProviderOptions = {}): WorkerProvider => {
  const context = createContext(options);
  const inTurn = createTurns();
  const stopSeconds = Math.min(options.stopSeconds ?? 10, MAX_STOP_SECONDS);
  const run = <T>(method: Method<T>): Promise<T> =>
    withDeadline(context.clock, METHOD_MS, (signal) => method(context, signal));
  const ofName = async <T>(name: string, method: Method<T>): Promise<T | { kind: 'absent' }> =>
    isContainerName(name) ? await run(method) : { kind: 'absent' };
  return {
    name: 'docker',
    launch: async (request) =>
      launchProblem(request) ??
      (await run((_, signal) => inTurn(() => launchOnDocker(context, request, signal)))),
    get: (name) =>
      ofName(name, async (_, signal) => {
        const waiting = context.pending.get(name);
        const looked = await look(context, name, signal);
        if (looked.kind === 'found') return { kind: 'found', instance: looked.instance };
        if (looked.kind === 'absent' && waiting !== undefined) return { kind: 'found', instance: waiting };
        return looked.kind === 'foreign' ? { kind: 'absent' } : looked;
      }),
    list: (pool) => {
      const asked = { label: `${POOL_LABEL}=${pool}`, isAsked: (found: string) => found === pool };
      return run((_, signal) => listPools(context, asked, signal));
    },
    listStage: (stage) => {
      const asked = { label: POOL_LABEL, isAsked: (found: string) => isPoolOfStage(stage, found) };
      return run((_, signal) => listPools(context, asked, signal));
    },
    terminate: (name) => ofName(name, terminate(name, stopSeconds)),
    logs: (name, lines) => ofName(name, logs(name, lines)),
    products: () => run(products),
  };
};
