/** Pods that boot, take tasks one after another, and cost by the second. */
import type { LaunchRequest, ProviderInstance } from '../../core/providers/worker-provider.ts';
import type { Worker } from '../../core/worker.ts';

export interface SimulatedTask {
  /** Seconds from the start. */
  readonly at: number;
  /** Seconds that it takes a worker. */
  readonly seconds: number;
  readonly userId: string;
}

export interface WaitingTask {
  readonly task: SimulatedTask;
  readonly jobId: string;
}

interface Held extends WaitingTask {
  readonly assignedAt: number;
  /** Null while another runs before it. */
  startedAt: number | null;
}

interface Pod {
  readonly instance: ProviderInstance;
  readonly readyAt: number;
  readonly held: Held[];
  lastAssignedAt: number | null;
  draining: boolean;
}

export interface Pods {
  add(
    request: Pick<LaunchRequest, 'workerId' | 'pool' | 'leaseUntil'>,
    bootSeconds: number,
  ): ProviderInstance;
  /** What it held; undefined when there is no such pod. */
  remove(instanceId: string): readonly WaitingTask[] | undefined;
  instances(): readonly ProviderInstance[];
  /** Those that have booted, as the registry has them. */
  workers(): readonly Worker[];
  setDraining(workerId: string, draining: boolean): boolean;
  /** As the dispatcher chooses: fewest held, then the one that was given nothing for longest. False when none is free. */
  give(task: WaitingTask, prefetchDepth: number): boolean;
  /** Tasks that are done now. */
  finish(): readonly SimulatedTask[];
  /** Tasks that start now. */
  begin(): readonly SimulatedTask[];
  /** How many hold something. */
  busy(): number;
  /** The most that there were at once. */
  most(): number;
}

interface Place {
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly pricePerHour: number;
  readonly second: () => number;
}

const isoAt = ({ start }: Place, second: number): string => new Date(start + second * 1000).toISOString();

const workerOf = (
  { instance: { workerId }, draining, held, lastAssignedAt, readyAt }: Pod,
  place: Place,
): Worker => ({
  workerId,
  clientId: workerId,
  endpoint: 'http://10.0.0.1:8188',
  condition: draining ? 'draining' : 'ready',
  held: held.map(({ jobId, task: { userId }, assignedAt }) => ({
    jobId,
    attempt: 1,
    userId,
    assignedAt: isoAt(place, assignedAt),
  })),
  lastAssignedAt: lastAssignedAt === null ? null : isoAt(place, lastAssignedAt),
  bootId: workerId,
  monitorSequence: 1,
  comfyuiVersion: null,
  registeredAt: isoAt(place, readyAt),
  lastSeenAt: isoAt(place, place.second()),
  avoidUntil: null,
  quarantined: false,
  tags: [],
  catalogueHash: null,
});

const launched = (
  { workerId, pool, leaseUntil }: Pick<LaunchRequest, 'workerId' | 'pool' | 'leaseUntil'>,
  place: Place,
): ProviderInstance => ({
  instanceId: `i-${workerId}`,
  provider: 'novita',
  pool,
  workerId,
  state: 'running',
  launchedAt: isoAt(place, place.second()),
  leaseUntil,
  pricePerHour: place.pricePerHour,
  address: null,
});

export const createPods = (place: Place): Pods => {
  const pods = new Map<string, Pod>();
  const { second } = place;
  let most = 0;
  const all = (): readonly Pod[] => [...pods.values()];
  const isReady = ({ readyAt }: Pod): boolean => second() >= readyAt;
  const isDone = ({ held: [first] }: Pod): boolean =>
    first !== undefined && first.startedAt !== null && second() - first.startedAt >= first.task.seconds;
  const free = (depth: number): Pod | undefined =>
    all()
      .filter((pod) => isReady(pod) && !pod.draining && pod.held.length <= depth)
      .sort(
        (a, b) => a.held.length - b.held.length || (a.lastAssignedAt ?? -1) - (b.lastAssignedAt ?? -1),
      )[0];
  return {
    add: (request, bootSeconds) => {
      const instance = launched(request, place);
      const readyAt = second() + bootSeconds;
      pods.set(instance.instanceId, { instance, readyAt, held: [], lastAssignedAt: null, draining: false });
      most = Math.max(most, pods.size);
      return instance;
    },
    remove: (instanceId) => {
      const held = pods.get(instanceId)?.held;
      pods.delete(instanceId);
      return held?.map(({ task, jobId }) => ({ task, jobId }));
    },
    instances: () => all().map(({ instance }) => instance),
    workers: () =>
      all()
        .filter(isReady)
        .map((pod) => workerOf(pod, place)),
    setDraining: (workerId, draining) => {
      const pod = pods.get(`i-${workerId}`);
      if (pod === undefined || !isReady(pod)) return false;
      pod.draining = draining;
      return true;
    },
    give: (task, prefetchDepth) => {
      const pod = free(prefetchDepth);
      if (pod === undefined) return false;
      pod.held.push({ ...task, assignedAt: second(), startedAt: null });
      pod.lastAssignedAt = second();
      return true;
    },
    finish: () => all().flatMap((pod) => (isDone(pod) ? pod.held.splice(0, 1).map(({ task }) => task) : [])),
    begin: () =>
      all().flatMap(({ held: [first] }) => {
        if (first === undefined || first.startedAt !== null) return [];
        first.startedAt = second();
        return [first.task];
      }),
    busy: () => all().filter(({ held }) => held.length > 0).length,
    most: () => most,
  };
};
