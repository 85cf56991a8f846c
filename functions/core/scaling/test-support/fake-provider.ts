/** A provider in memory: it remembers what it launched, and refuses, loses answers and hides instances on demand. */
import type { Clock } from '../../ports.ts';
import {
  isPoolOfStage,
  type LaunchRequest,
  type ListAnswer,
  type ProviderInstance,
  type ProviderName,
  type ProviderRefusal,
  type WorkerProvider,
} from '../../providers/worker-provider.ts';

export interface FakeProvider extends WorkerProvider {
  /** Everything that costs now. */
  all(): readonly ProviderInstance[];
  readonly launches: readonly LaunchRequest[];
  /** `method` of each call, in order. */
  readonly calls: readonly string[];
  /** Every call of that method answers so, until `recover`. */
  refuse(method: 'launch' | 'list' | 'get' | 'terminate', refusal: ProviderRefusal): void;
  /** The next launch is made, and answered with `unavailable`. */
  loseNextAnswer(): void;
  /** Lists leave that worker's instance out, as a list that lags does. */
  hide(workerId: string): void;
  /** All that was refused, lost or hidden is over. */
  recover(): void;
  /** An instance that this control plane's table knows nothing of. */
  add(instance: Partial<ProviderInstance> & Pick<ProviderInstance, 'workerId' | 'pool'>): ProviderInstance;
  set(workerId: string, patch: Partial<ProviderInstance>): void;
  /** Taken back by the provider. */
  vanish(workerId: string): void;
}

const HOUR_MS = 3_600_000;

export const createFakeProvider = ({
  name,
  clock,
  pricePerHour = 0.5,
}: {
  readonly name: ProviderName;
  readonly clock: Clock;
  readonly pricePerHour?: number | null;
}): FakeProvider => {
  const instances = new Map<string, ProviderInstance>();
  const launches: LaunchRequest[] = [];
  const calls: string[] = [];
  const refusals = new Map<string, ProviderRefusal>();
  const hidden = new Set<string>();
  let losesAnswer = false;
  let serial = 0;

  const add: FakeProvider['add'] = (given) => {
    serial += 1;
    const instance: ProviderInstance = {
      instanceId: `${name}-${serial}`,
      provider: name,
      state: 'running',
      launchedAt: new Date(clock.now()).toISOString(),
      leaseUntil: new Date(clock.now() + HOUR_MS).toISOString(),
      pricePerHour,
      address: null,
      ...given,
    };
    instances.set(instance.instanceId, instance);
    return instance;
  };
  const ofWorker = (workerId: string): ProviderInstance | undefined =>
    [...instances.values()].find((instance) => instance.workerId === workerId);
  const called = (method: string): ProviderRefusal | undefined => {
    calls.push(method);
    return refusals.get(method);
  };

  const listed = (isAsked: (pool: string) => boolean): ListAnswer => {
    const refusal = called('list');
    if (refusal !== undefined) return refusal;
    const found = [...instances.values()].filter(({ pool }) => isAsked(pool));
    return { kind: 'listed', instances: found.filter(({ workerId }) => !hidden.has(workerId)) };
  };

  return {
    name,
    launches,
    calls,
    add,
    all: () => [...instances.values()],
    refuse: (method, refusal) => void refusals.set(method, refusal),
    loseNextAnswer: () => {
      losesAnswer = true;
    },
    hide: (workerId) => void hidden.add(workerId),
    recover: () => {
      refusals.clear();
      hidden.clear();
    },
    set: (workerId, patch) => {
      const instance = ofWorker(workerId);
      if (instance !== undefined) instances.set(instance.instanceId, { ...instance, ...patch });
    },
    vanish: (workerId) => void instances.delete(ofWorker(workerId)?.instanceId ?? ''),
    launch: async (request) => {
      const refusal = called('launch');
      if (refusal !== undefined) return refusal;
      launches.push(request);
      const { pool, workerId, leaseUntil } = request;
      const instance = ofWorker(workerId) ?? add({ pool, workerId, leaseUntil });
      if (!losesAnswer) return { kind: 'launched', instance };
      losesAnswer = false;
      return { kind: 'unavailable', message: 'HTTP 500' };
    },
    get: async (instanceId) => {
      const refusal = called('get');
      if (refusal !== undefined) return refusal;
      const instance = instances.get(instanceId);
      return instance === undefined ? { kind: 'absent' } : { kind: 'found', instance };
    },
    list: async (pool) => listed((found) => found === pool),
    listStage: async (stage) => listed((found) => isPoolOfStage(stage, found)),
    terminate: async (instanceId) => {
      const refusal = called('terminate');
      if (refusal !== undefined) return refusal;
      return instances.delete(instanceId) ? { kind: 'terminated' } : { kind: 'absent' };
    },
    logs: async () => ({ kind: 'unsupported' }),
    products: async () => ({ kind: 'products', products: [] }),
  };
};
