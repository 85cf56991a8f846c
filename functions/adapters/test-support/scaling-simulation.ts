/**
 * A pool under load, second by second, with the real scaling pass each minute: only the pods, their provider and the
 * dispatcher are simulated. The same input gives the same result.
 */
import type { QueueEntry, UserShare } from '../../core/ports.ts';
import type { WorkerProvider } from '../../core/providers/worker-provider.ts';
import { launchEntries, type PoolConfig } from '../../core/scaling/pool-config.ts';
import type { ScalingDependencies } from '../../core/scaling/ports.ts';
import { scalePools } from '../../core/scaling/scale-pools.ts';
import { createCountingIds, createSilentLogger, uuidOf } from '../../core/test-support/fixtures.ts';
import { createFakeInstanceStore } from '../dynamodb/instance-store.fake.ts';
import { createPods, type Pods, type SimulatedTask, type WaitingTask } from './simulated-pods.ts';

export type { SimulatedTask } from './simulated-pods.ts';

export interface SimulationOptions {
  /** By `at`. */
  readonly tasks: readonly SimulatedTask[];
  /** Seconds that are billed at least; the simulation ends when they are over and every task is done. */
  readonly seconds: number;
  /** US dollars an hour of one worker, billed by the second. */
  readonly pricePerHour: number;
  /** Seconds from a launch to the worker's announcement, of each launch. */
  readonly bootSeconds: () => number;
  /** Prompts that wait in a worker's ComfyUI behind the one that runs. */
  readonly prefetchDepth: number;
  /** So many workers, always on, from the start; or a pool that is scaled. */
  readonly workers: number | PoolConfig;
  /** Milliseconds since the epoch. */
  readonly start?: number;
}

export interface SimulationResult {
  readonly costUsd: number;
  /** Part of the cost: of booting, idle and draining workers. */
  readonly idleCostUsd: number;
  /** Seconds of each task from its submission to its start, least first. */
  readonly waits: readonly number[];
  /** 0–1: seconds of work by seconds that were paid. */
  readonly utilisation: number;
  readonly launches: number;
  /** Seconds from the start at which each change of the pool happened. */
  readonly changes: readonly { readonly at: number; readonly code: string }[];
  /** Tasks that lost their worker, and were begun again. */
  readonly interrupted: number;
  readonly maxWorkers: number;
}

/** What has become of the load so far. */
interface Progress {
  second: number;
  done: number;
  interrupted: number;
  launches: number;
  paidSeconds: number;
  busySeconds: number;
  readonly pending: WaitingTask[];
  readonly averages: Map<string, number>;
  readonly waits: number[];
  readonly changes: { at: number; code: string }[];
}

interface World {
  readonly options: SimulationOptions;
  readonly start: number;
  readonly progress: Progress;
  readonly pods: Pods;
}

const STAGE = 'bench';
const HISTORY_WEIGHT = 0.3;

const isoAt = ({ start }: Pick<World, 'start'>, second: number): string =>
  new Date(start + second * 1000).toISOString();

const lose = ({ progress }: World, tasks: readonly WaitingTask[]): void => {
  progress.interrupted += tasks.length;
  progress.pending.unshift(...tasks);
};

/** The pods as a provider has them. */
const providerOf = (world: World): WorkerProvider => {
  const { pods, progress, options } = world;
  return {
    name: 'novita',
    launch: async (request) => {
      progress.launches += 1;
      return { kind: 'launched', instance: pods.add(request, options.bootSeconds()) };
    },
    get: async (instanceId) => {
      const instance = pods.instances().find((each) => each.instanceId === instanceId);
      return instance === undefined ? { kind: 'absent' } : { kind: 'found', instance };
    },
    list: async () => ({ kind: 'listed', instances: pods.instances() }),
    listStage: async () => ({ kind: 'listed', instances: pods.instances() }),
    terminate: async (instanceId) => {
      const lost = pods.remove(instanceId);
      if (lost === undefined) return { kind: 'absent' };
      lose(world, lost);
      return { kind: 'terminated' };
    },
    logs: async () => ({ kind: 'unsupported' }),
    products: async () => ({ kind: 'products', products: [] }),
  };
};

const sharesOf = ({ options, progress }: World): readonly UserShare[] =>
  [...new Set(options.tasks.map(({ userId }) => userId))].map((userId) => ({
    userId,
    waitingStamp: 'stamp',
    paused: false,
    finishMs: 0,
    startMs: 0,
    averageMs: progress.averages.get(userId) ?? null,
    active: [],
  }));

const queueOf = (world: World, userId: string): readonly QueueEntry[] =>
  world.progress.pending
    .filter(({ task }) => task.userId === userId)
    .map(({ task, jobId }) => ({
      jobId,
      userId,
      priority: 5,
      queuedAt: isoAt(world, task.at),
      notBefore: null,
      needs: { classes: [], models: [], tags: [] },
    }));

const TOLD: readonly string[] = ['scaling.launched', 'scaling.draining'];

const dependenciesOf = (pool: PoolConfig, world: World): ScalingDependencies => {
  const { pods, progress, start } = world;
  const provider = providerOf(world);
  const clock = { now: () => start + progress.second * 1000, sleep: async () => undefined };
  const note = (code: string): void => {
    if (TOLD.includes(code)) progress.changes.push({ at: progress.second, code });
  };
  return {
    pools: [pool],
    providers: new Map([[pool.name, new Map(launchEntries(pool).map(({ id }) => [id, provider]))]]),
    stage: STAGE,
    instances: createFakeInstanceStore({ clock }),
    shares: { list: async () => ({ paused: false, users: sharesOf(world) }) },
    queue: { list: async (userId, limit) => queueOf(world, userId).slice(0, limit) },
    workers: {
      list: async () => pods.workers(),
      get: async (workerId) => pods.workers().find((worker) => worker.workerId === workerId),
      setDraining: async (workerId, draining) => pods.setDraining(workerId, draining),
    },
    catalogues: { get: async () => undefined },
    secrets: async () => ({}),
    clock,
    ids: createCountingIds(),
    logger: { ...createSilentLogger(), info: note },
    maxRunningPerUser: 1000,
    monitor: { eventBusName: STAGE, region: 'eu-west-1' },
  };
};

const noteDone = ({ progress }: World, { userId, seconds }: SimulatedTask): void => {
  progress.done += 1;
  const took = seconds * 1000;
  const average = progress.averages.get(userId) ?? took;
  progress.averages.set(userId, average + HISTORY_WEIGHT * (took - average));
};

const dispatch = ({ progress, pods, options }: World): void => {
  for (let next = progress.pending[0]; next !== undefined; next = progress.pending[0]) {
    if (!pods.give(next, options.prefetchDepth)) return;
    progress.pending.shift();
  }
};

const begin = (options: SimulationOptions): World => {
  const progress: Progress = {
    second: 0,
    done: 0,
    interrupted: 0,
    launches: 0,
    paidSeconds: 0,
    busySeconds: 0,
    pending: [],
    averages: new Map(),
    waits: [],
    changes: [],
  };
  const start = options.start ?? Date.parse('2026-11-22T00:00:00.000Z');
  const { pricePerHour, workers, seconds } = options;
  const pods = createPods({ start, pricePerHour, second: () => progress.second });
  const world = { options, start, progress, pods };
  const fixed = typeof workers === 'number' ? workers : 0;
  const leaseUntil = isoAt(world, seconds * 100);
  for (let at = 0; at < fixed; at += 1) pods.add({ workerId: `fixed-${at}`, pool: 'fixed', leaseUntil }, 0);
  return world;
};

const resultOf = ({ progress, options, pods }: World): SimulationResult => {
  const { paidSeconds, busySeconds, waits, launches, changes, interrupted } = progress;
  const price = options.pricePerHour / 3600;
  return {
    costUsd: paidSeconds * price,
    idleCostUsd: (paidSeconds - busySeconds) * price,
    waits: waits.sort((a, b) => a - b),
    utilisation: paidSeconds === 0 ? 0 : busySeconds / paidSeconds,
    launches,
    changes,
    interrupted,
    maxWorkers: pods.most(),
  };
};

export const simulateScaling = async (options: SimulationOptions): Promise<SimulationResult> => {
  const { tasks, seconds, workers } = options;
  const world = begin(options);
  const { progress, pods } = world;
  const deps = typeof workers === 'number' ? undefined : dependenciesOf(workers, world);
  let arrived = 0;
  for (; progress.second < seconds || progress.done < tasks.length; progress.second += 1) {
    if (progress.second > seconds * 20) throw new Error('the tasks are never done');
    for (const task of pods.finish()) noteDone(world, task);
    for (let next = tasks[arrived]; next !== undefined && next.at <= progress.second; next = tasks[arrived]) {
      arrived += 1;
      progress.pending.push({ task: next, jobId: uuidOf(arrived) });
    }
    dispatch(world);
    for (const task of pods.begin()) progress.waits.push(progress.second - task.at);
    if (deps !== undefined && progress.second % 60 === 0) await scalePools(deps);
    progress.paidSeconds += pods.instances().length;
    progress.busySeconds += pods.busy();
  }
  return resultOf(world);
};
