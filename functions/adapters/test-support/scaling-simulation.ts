/**
 * A pool under load, second by second, with the real scaling pass each minute: only the pods, their provider and the
 * dispatcher are simulated. The same input gives the same result.
 */
import type { QueueEntry, UserShare } from '../../core/ports.ts';
import type { ProviderInstance, WorkerProvider } from '../../core/providers/worker-provider.ts';
import { launchEntries, type PoolConfig } from '../../core/scaling/pool-config.ts';
import type { ScalingDependencies } from '../../core/scaling/ports.ts';
import { scalePools } from '../../core/scaling/scale-pools.ts';
import { createCountingIds, createSilentLogger, uuidOf } from '../../core/test-support/fixtures.ts';
import type { Worker } from '../../core/worker.ts';
import { createFakeInstanceStore } from '../dynamodb/instance-store.fake.ts';

export interface SimulatedTask {
  /** Seconds from the start. */
  readonly at: number;
  /** Seconds that it takes a worker. */
  readonly seconds: number;
  readonly userId: string;
}

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

interface Running {
  readonly task: SimulatedTask;
  readonly jobId: string;
  readonly assignedAt: number;
  /** Seconds from the start; null while another runs before it. */
  startedAt: number | null;
}

interface Pod {
  readonly workerId: string;
  readonly instance: ProviderInstance;
  readonly launchedAt: number;
  readonly readyAt: number;
  readonly held: Running[];
  lastAssignedAt: number | null;
  draining: boolean;
}

const STAGE = 'bench';
const HISTORY_WEIGHT = 0.3;

export const simulateScaling = async (options: SimulationOptions): Promise<SimulationResult> => {
  const { tasks, seconds, workers, pricePerHour, prefetchDepth } = options;
  const start = options.start ?? Date.parse('2026-11-22T00:00:00.000Z');
  const pods = new Map<string, Pod>();
  const pending: { readonly task: SimulatedTask; readonly jobId: string }[] = [];
  const averages = new Map<string, number>();
  const waits: number[] = [];
  let second = 0;
  let paidSeconds = 0;
  let busySeconds = 0;
  let launches = 0;
  let interrupted = 0;
  let maxWorkers = 0;
  let done = 0;

  const isoAt = (at: number): string => new Date(start + at * 1000).toISOString();
  const clock: ScalingDependencies['clock'] = {
    now: () => start + second * 1000,
    sleep: async () => undefined,
  };

  const addPod = (instance: ProviderInstance, boot: number): void => {
    const { workerId } = instance;
    pods.set(workerId, {
      workerId,
      instance,
      launchedAt: second,
      readyAt: second + boot,
      held: [],
      lastAssignedAt: null,
      draining: false,
    });
    maxWorkers = Math.max(maxWorkers, pods.size);
  };
  const instanceOf = (workerId: string, pool: string, leaseUntil: string): ProviderInstance => ({
    instanceId: `i-${workerId}`,
    provider: 'novita',
    pool,
    workerId,
    state: 'running',
    launchedAt: isoAt(second),
    leaseUntil,
    pricePerHour,
    address: null,
  });
  const removePod = (pod: Pod): void => {
    pods.delete(pod.workerId);
    for (const { task, jobId } of pod.held) {
      interrupted += 1;
      pending.unshift({ task, jobId });
    }
  };
  const podOf = (instanceId: string): Pod | undefined =>
    [...pods.values()].find(({ instance }) => instance.instanceId === instanceId);

  const provider: WorkerProvider = {
    name: 'novita',
    launch: async ({ workerId, pool, leaseUntil }) => {
      launches += 1;
      const instance = instanceOf(workerId, pool, leaseUntil);
      addPod(instance, options.bootSeconds());
      return { kind: 'launched', instance };
    },
    get: async (instanceId) => {
      const pod = podOf(instanceId);
      return pod === undefined ? { kind: 'absent' } : { kind: 'found', instance: pod.instance };
    },
    list: async () => ({ kind: 'listed', instances: [...pods.values()].map(({ instance }) => instance) }),
    terminate: async (instanceId) => {
      const pod = podOf(instanceId);
      if (pod === undefined) return { kind: 'absent' };
      removePod(pod);
      return { kind: 'terminated' };
    },
    logs: async () => ({ kind: 'unsupported' }),
    products: async () => ({ kind: 'products', products: [] }),
  };

  const isReady = (pod: Pod): boolean => second >= pod.readyAt;
  const workerOf = (pod: Pod): Worker => ({
    workerId: pod.workerId,
    clientId: pod.workerId,
    endpoint: 'http://10.0.0.1:8188',
    condition: pod.draining ? 'draining' : 'ready',
    held: pod.held.map(({ jobId, task, assignedAt }) => ({
      jobId,
      attempt: 1,
      userId: task.userId,
      assignedAt: isoAt(assignedAt),
    })),
    lastAssignedAt: pod.lastAssignedAt === null ? null : isoAt(pod.lastAssignedAt),
    bootId: pod.workerId,
    monitorSequence: 1,
    comfyuiVersion: null,
    registeredAt: isoAt(pod.readyAt),
    lastSeenAt: isoAt(second),
    avoidUntil: null,
    quarantined: false,
    tags: [],
    catalogueHash: null,
  });
  const registered = (): readonly Worker[] => [...pods.values()].filter(isReady).map(workerOf);

  const changes: { at: number; code: string }[] = [];
  const silent = createSilentLogger();
  const dependenciesOf = (pool: PoolConfig): ScalingDependencies => ({
    pools: [pool],
    providers: new Map([[pool.name, new Map(launchEntries(pool).map(({ id }) => [id, provider]))]]),
    stage: STAGE,
    instances: createFakeInstanceStore({ clock }),
    shares: {
      list: async () => ({
        paused: false,
        users: [...new Set(tasks.map(({ userId }) => userId))].map((userId): UserShare => ({
          userId,
          waitingStamp: 'stamp',
          paused: false,
          finishMs: 0,
          startMs: 0,
          averageMs: averages.get(userId) ?? null,
          active: [],
        })),
      }),
    },
    queue: {
      list: async (userId, limit) =>
        pending
          .filter(({ task }) => task.userId === userId)
          .slice(0, limit)
          .map(({ task, jobId }): QueueEntry => ({
            jobId,
            userId,
            priority: 5,
            queuedAt: isoAt(task.at),
            notBefore: null,
            needs: { classes: [], models: [], tags: [] },
          })),
    },
    workers: {
      list: async () => registered(),
      get: async (workerId) => registered().find((worker) => worker.workerId === workerId),
      setDraining: async (workerId, draining) => {
        const pod = pods.get(workerId);
        if (pod === undefined || !isReady(pod)) return false;
        pod.draining = draining;
        return true;
      },
    },
    catalogues: { get: async () => undefined },
    secrets: async () => ({}),
    clock,
    ids: createCountingIds(),
    logger: {
      ...silent,
      info: (code) => {
        if (code === 'scaling.launched' || code === 'scaling.draining') changes.push({ at: second, code });
      },
    },
    maxRunningPerUser: 1000,
    monitor: { eventBusName: 'bench', region: 'eu-west-1' },
  });

  /** Fewest held first, then the one that was given nothing for longest: as the dispatcher chooses. */
  const choose = (): Pod | undefined =>
    [...pods.values()]
      .filter((pod) => isReady(pod) && !pod.draining && pod.held.length <= prefetchDepth)
      .sort(
        (a, b) => a.held.length - b.held.length || (a.lastAssignedAt ?? -1) - (b.lastAssignedAt ?? -1),
      )[0];

  const finish = (pod: Pod): void => {
    const [first] = pod.held;
    if (first === undefined || first.startedAt === null) return;
    if (second - first.startedAt < first.task.seconds) return;
    pod.held.shift();
    done += 1;
    const { userId, seconds: took } = first.task;
    const average = averages.get(userId);
    const took_ms = took * 1000;
    averages.set(userId, average === undefined ? took_ms : average + HISTORY_WEIGHT * (took_ms - average));
  };
  const begin = (pod: Pod): void => {
    const [first] = pod.held;
    if (first === undefined || first.startedAt !== null) return;
    first.startedAt = second;
    waits.push(second - first.task.at);
  };
  const dispatch = (): void => {
    while (pending.length > 0) {
      const pod = choose();
      const next = pod === undefined ? undefined : pending.shift();
      if (pod === undefined || next === undefined) return;
      pod.held.push({ ...next, assignedAt: second, startedAt: null });
      pod.lastAssignedAt = second;
      begin(pod);
    }
  };

  if (typeof workers === 'number')
    for (let at = 0; at < workers; at += 1)
      addPod(instanceOf(`fixed-${at}`, 'fixed', isoAt(seconds * 100)), 0);
  const deps = typeof workers === 'number' ? undefined : dependenciesOf(workers);
  let arrived = 0;
  for (; second < seconds || done < tasks.length; second += 1) {
    if (second > seconds * 20) throw new Error('the tasks are never done');
    for (const pod of pods.values()) {
      finish(pod);
      begin(pod);
    }
    for (let next = tasks[arrived]; next !== undefined && next.at <= second; next = tasks[arrived]) {
      arrived += 1;
      pending.push({ task: next, jobId: uuidOf(arrived) });
    }
    dispatch();
    if (deps !== undefined && second % 60 === 0) await scalePools(deps);
    for (const pod of pods.values()) {
      paidSeconds += 1;
      if (pod.held.length > 0) busySeconds += 1;
    }
  }
  const price = pricePerHour / 3600;
  return {
    costUsd: paidSeconds * price,
    idleCostUsd: (paidSeconds - busySeconds) * price,
    waits: waits.sort((a, b) => a - b),
    utilisation: paidSeconds === 0 ? 0 : busySeconds / paidSeconds,
    launches,
    changes,
    interrupted,
    maxWorkers,
  };
};
