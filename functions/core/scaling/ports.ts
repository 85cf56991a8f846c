/** What scaling knows and needs from outside. */
import type { CatalogueStore, Clock, Ids, Logger, QueueStore, ShareStore, WorkerStore } from '../ports.ts';
import type { ProviderName, WorkerProvider } from '../providers/worker-provider.ts';
import type { PoolConfig } from './pool-config.ts';

/** Why an instance was, or is being, ended. */
export type EndReason =
  /** Nobody needed it for its pool's `idleSeconds`. */
  | 'idle'
  /** More instances than `max`. */
  | 'excess'
  | 'leaseEnd'
  /** Its monitor never announced itself. */
  | 'bootTimeout'
  /** Its ComfyUI ignored an interrupt. */
  | 'quarantined'
  /** Its monitor or its ComfyUI did not answer for minutes. */
  | 'unwell'
  /** The provider says that it failed or stopped. */
  | 'providerFailed'
  /** The provider knows it no more: someone else ended it, or took it back. */
  | 'gone'
  /** It costs more than its provider's `maxPricePerHour`. */
  | 'overpriced';

/**
 * `launching`: written before the provider was asked, and not confirmed yet; `live`: the provider has it; `ending`: to
 * be terminated, until the provider says that it is; `ended`: kept for the day's budget.
 */
export type InstanceCondition = 'launching' | 'live' | 'ending' | 'ended';

/** One machine or container that scaling launched, or is about to. All times are ISO 8601. */
export interface Instance {
  readonly pool: string;
  /** `WORKER_ID` of its monitor; unique for good. */
  readonly workerId: string;
  /** Which entry of the pool's `providers`. */
  readonly providerId: string;
  readonly provider: ProviderName;
  readonly image: string;
  /** The provider's own id; null until it has told it. */
  readonly instanceId: string | null;
  readonly condition: InstanceCondition;
  /** When its row was written. */
  readonly createdAt: string;
  /** When the provider launched it; null until confirmed. */
  readonly launchedAt: string | null;
  /** When its worker was first seen in the registry. */
  readonly announcedAt: string | null;
  /** Hard end; the same stands on the instance itself. */
  readonly leaseUntil: string;
  /** US dollars: what the provider told, else what the pool allows it to cost. */
  readonly pricePerHour: number;
  /** Where the provider says that its ComfyUI is reached. */
  readonly address: string | null;
  /** What its ComfyUI can run, as its worker announced. */
  readonly catalogueHash: string | null;
  /** Holds nothing since then; null while it works or is not announced. */
  readonly idleSince: string | null;
  /** 0–1: the share of the last ten minutes or so in which it held something. */
  readonly busyShare: number;
  /** Does not answer since then. */
  readonly unwellSince: string | null;
  readonly drainingSince: string | null;
  /** Why it drains, ends or has ended. */
  readonly endReason: EndReason | null;
  readonly endedAt: string | null;
}

export type InstancePatch = Partial<Omit<Instance, 'pool' | 'workerId' | 'createdAt'>>;

/** A provider that is not to be asked for launches for a while. */
export interface ProviderHold {
  /** ISO 8601. */
  readonly until: string;
  readonly reason: string;
}

/** What passes over one pool share. */
export interface PoolState {
  /** Grows with every pass that changes something: of two passes that read the same, one may act. */
  readonly revision: number;
  /** By `providerId`. */
  readonly holds: Readonly<Record<string, ProviderHold>>;
}

/** Instances of all pools, and what passes over a pool share. */
export interface InstanceStore {
  /** Consistent read of all pools; those that ended within the last three days are among them. */
  list(): Promise<readonly Instance[]>;
  /** False when there is one of that pool and workerId. */
  create(instance: Instance): Promise<boolean>;
  /** False when its condition is none of `from`, or there is no such instance. */
  change(
    instance: Pick<Instance, 'pool' | 'workerId'>,
    patch: InstancePatch,
    from: readonly InstanceCondition[],
  ): Promise<boolean>;
  /** Forgets a launch that certainly made nothing; false when it is not `launching` any more. */
  discard(instance: Pick<Instance, 'pool' | 'workerId'>): Promise<boolean>;
  /** Consistent read. */
  pool(pool: string): Promise<PoolState>;
  /** Adds one to the revision if it still is that one. */
  claim(pool: string, revision: number): Promise<boolean>;
  hold(pool: string, providerId: string, hold: ProviderHold): Promise<void>;
}

/** The providers of each pool, by the `id` of the pool's entry. */
export type PoolProviders = ReadonlyMap<string, ReadonlyMap<string, WorkerProvider>>;

interface StageDependencies {
  /** Providers know a pool as `<stage>-<name>`: one account may serve several stages. */
  readonly stage: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What reaching the providers takes, and nothing else: no pool, for one that is gone may have left instances. */
export interface ReapDependencies extends StageDependencies {
  /** By `reachedId`. */
  readonly reached: ReadonlyMap<string, WorkerProvider>;
  /** What is wrong in the configuration: told, and no reason not to reap what can be reached. */
  readonly problems: readonly string[];
}

export interface ScalingDependencies extends StageDependencies {
  readonly pools: readonly PoolConfig[];
  readonly providers: PoolProviders;
  readonly instances: InstanceStore;
  readonly shares: Pick<ShareStore, 'list'>;
  readonly queue: Pick<QueueStore, 'list'>;
  readonly workers: Pick<WorkerStore, 'list' | 'get' | 'setDraining'>;
  readonly catalogues: Pick<CatalogueStore, 'get'>;
  /** Values that pools name in `secretEnvironment`, by member of the secret. Rejects when the secret cannot be read. */
  readonly secrets: () => Promise<Readonly<Record<string, string>>>;
  readonly ids: Ids;
  /** Attempts of one user that workers may hold at once. */
  readonly maxRunningPerUser: number;
  /** What the monitors of instances are told. */
  readonly monitor: {
    readonly eventBusName: string;
    readonly region: string;
    /** Takes pictures while sampling; none are sent without it. */
    readonly previewFunctionName?: string;
  };
}
