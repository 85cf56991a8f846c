/** Reads what waits, and what the workers of each pool are known to run. */
import type { QueueEntry, Shares } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { modelsOf } from '../workflow/catalogue.ts';
import { canRun, type WorkerOffer } from '../workflow/needs.ts';
import type { OffersOfPool } from './demand.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { Instance, ScalingDependencies } from './ports.ts';

/** Of one user: a queue that is longer asks for every worker anyway. */
const MAX_ENTRIES = 500;
const USERS_AT_ONCE = 10;

/** Entries that may start now: not those of paused users, nor retries that are due much later. */
export const readWaiting = async (
  { paused, users }: Shares,
  { queue, clock }: Pick<ScalingDependencies, 'queue' | 'clock'>,
): Promise<readonly QueueEntry[]> => {
  if (paused) return [];
  const waiting = users.filter((share) => !share.paused && share.waitingStamp !== null);
  const entries: QueueEntry[] = [];
  for (let at = 0; at < waiting.length; at += USERS_AT_ONCE) {
    const lists = await Promise.all(
      waiting.slice(at, at + USERS_AT_ONCE).map(({ userId }) => queue.list(userId, MAX_ENTRIES)),
    );
    entries.push(...lists.flat());
  }
  const soon = new Date(clock.now() + 60_000).toISOString();
  return entries.filter(({ notBefore }) => notBefore === null || notBefore <= soon);
};

/** Catalogues that were seen on instances of the images that the pool launches now. */
const hashesOf = (pool: PoolConfig, instances: readonly Instance[]): readonly string[] => {
  const images = launchEntries(pool).map(({ image }) => image);
  const own = instances.filter((each) => each.pool === pool.name && images.includes(each.image));
  return [...new Set(own.flatMap(({ catalogueHash }) => catalogueHash ?? []))];
};

/** A catalogue that cannot be read is as good as unknown, which means anything. */
const readOffer = async (
  hash: string,
  { catalogues, logger }: Pick<ScalingDependencies, 'catalogues' | 'logger'>,
): Promise<readonly (readonly [string, WorkerOffer])[]> => {
  try {
    const catalogue = await catalogues.get(hash);
    if (catalogue === undefined) return [];
    const classes = new Set(Object.keys(catalogue.classes));
    return [[hash, { classes, models: new Set(modelsOf(catalogue)) }]];
  } catch (error) {
    logger.warn('scaling.catalogue-unread', { hash, reason: String(error) });
    return [];
  }
};

/** What pools and workers are known to run. */
export interface KnownOffers {
  readonly ofPools: OffersOfPool;
  /** By catalogue hash. */
  readonly byHash: ReadonlyMap<string, WorkerOffer>;
}

/** @param strangers workers that no pool launched */
export const readOffers = async (
  instances: readonly Instance[],
  strangers: readonly Worker[],
  deps: Pick<ScalingDependencies, 'catalogues' | 'logger' | 'pools'>,
): Promise<KnownOffers> => {
  const hashes = new Map(deps.pools.map((pool) => [pool.name, hashesOf(pool, instances)]));
  const wanted = new Set(
    [...hashes.values(), strangers.flatMap(({ catalogueHash }) => catalogueHash ?? [])].flat(),
  );
  const read = await Promise.all([...wanted].map((hash) => readOffer(hash, deps)));
  const byHash = new Map(read.flat());
  const known = (hash: string): readonly WorkerOffer[] => {
    const offer = byHash.get(hash);
    return offer === undefined ? [] : [offer];
  };
  const ofPools = new Map([...hashes].map(([pool, own]) => [pool, own.flatMap(known)]));
  return { ofPools, byHash };
};

const canHelp = (worker: Worker, { needs }: QueueEntry, { byHash }: KnownOffers): boolean => {
  const offer = worker.catalogueHash === null ? undefined : byHash.get(worker.catalogueHash);
  const hasTags = needs.tags.every((tag) => worker.tags.includes(tag));
  return hasTags && (offer === undefined || canRun(needs, offer));
};

/**
 * Workers that no pool launched and that can do one of these tasks. Whoever was counted for one pool is taken, so that
 * two do not rely on it.
 */
export const takeHelpers = (
  entries: readonly QueueEntry[],
  free: Set<Worker>,
  offers: KnownOffers,
): readonly Worker[] => {
  const helpers = [...free].filter((worker) => entries.some((entry) => canHelp(worker, entry, offers)));
  for (const worker of helpers) free.delete(worker);
  return helpers;
};
