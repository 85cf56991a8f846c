/** What several parts of scaling ask of the providers of a pool. */
import {
  poolOfStage,
  type ListAnswer,
  type ProviderInstance,
  type ProviderRefusal,
  type WorkerProvider,
} from '../providers/worker-provider.ts';
import type { Logger } from '../ports.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { PoolProviders, ScalingDependencies } from './ports.ts';

/** The name under which providers know a pool. */
export const providerPool = (stage: string, { name }: Pick<PoolConfig, 'name'>): string =>
  poolOfStage(stage, name);

/** Providers answer and don't throw; what still is thrown tells nothing, so it counts as an unknown outcome. */
export const answered = async <T>(
  call: Promise<T>,
): Promise<T | { readonly kind: 'unavailable'; readonly message: string }> => {
  try {
    return await call;
  } catch (error) {
    return { kind: 'unavailable', message: error instanceof Error ? error.name : 'unknown error' };
  }
};

export interface ListedInstance {
  readonly providerId: string;
  readonly found: ProviderInstance;
}

export interface PoolListing {
  readonly listed: readonly ListedInstance[];
  /** Entries whose provider could not be asked. */
  readonly unknown: ReadonlySet<string>;
}

export const providersOf = (
  pool: PoolConfig,
  providers: PoolProviders,
): readonly (readonly [string, WorkerProvider])[] =>
  launchEntries(pool).flatMap(({ id }) => {
    const provider = providers.get(pool.name)?.get(id);
    return provider === undefined ? [] : [[id, provider] as const];
  });

/** Two entries of one account list the same instances: each once. */
const distinct = (listed: readonly ListedInstance[]): readonly ListedInstance[] => [
  ...new Map(listed.map((each) => [`${each.found.provider} ${each.found.instanceId}`, each])).values(),
];

/** What a person must set right is an error. */
export const tellListFailed = (
  { kind, message }: ProviderRefusal,
  data: Readonly<Record<string, string>>,
  logger: Logger,
): void => {
  const isAlarm = kind === 'unauthorized' || kind === 'rejected';
  logger[isAlarm ? 'error' : 'warn']('scaling.list-failed', { ...data, kind, message });
};

/** Asks every provider of the pool; one that fails is logged, and keeps no other from being heard. */
export const listPool = async (
  pool: PoolConfig,
  { providers, stage, logger }: Pick<ScalingDependencies, 'providers' | 'stage' | 'logger'>,
): Promise<PoolListing> => {
  const asked = await Promise.all(
    providersOf(pool, providers).map(async ([providerId, provider]) => {
      const answer: ListAnswer = await answered(provider.list(providerPool(stage, pool)));
      return { providerId, answer };
    }),
  );
  const unknown = new Set<string>();
  const listed: ListedInstance[] = [];
  for (const { providerId, answer } of asked) {
    if (answer.kind === 'listed') listed.push(...answer.instances.map((found) => ({ providerId, found })));
    else {
      unknown.add(providerId);
      tellListFailed(answer, { pool: pool.name, providerId }, logger);
    }
  }
  return { listed: distinct(listed), unknown };
};
