/** Reads everything that a pass decides on, in the order that makes it safe. */
import type { Worker } from '../worker.ts';
import type { PoolView } from './pool-view.ts';
import { groupByUser, heldMsOf, shareOut } from './demand.ts';
import { launchEntries, type PoolConfig } from './pool-config.ts';
import type { Instance, PoolState, ScalingDependencies } from './ports.ts';
import { answered, listPool, type ListedInstance, type PoolListing } from './provider-pool.ts';
import { readOffers, readWaiting, takeHelpers } from './read-demand.ts';
import type { InstanceView, Seen } from './refresh.ts';

/** A pool as it was found. */
export interface PoolReading {
  readonly config: PoolConfig;
  readonly view: PoolView;
  /** Instances at its providers that are in no row, or whose row has ended: nobody would ever end them. */
  readonly orphans: readonly ListedInstance[];
}

type Deps = ScalingDependencies;

/** Lists lag, and one that is asked for by its id is there or not. */
const confirm = async (
  instance: Instance,
  pool: PoolConfig,
  { listed, unknown }: PoolListing,
  deps: Deps,
): Promise<Seen> => {
  const found = listed.filter((each) => each.found.workerId === instance.workerId);
  const own = found.find((each) => each.found.instanceId === instance.instanceId) ?? found[0];
  if (own !== undefined) return own.found;
  // Nobody can ask a provider that was taken out of the pool: what it had is reckoned with until its lease ends.
  const isKnown = launchEntries(pool).some(({ id }) => id === instance.providerId);
  if (!isKnown) return Date.parse(instance.leaseUntil) > deps.clock.now() ? 'unknown' : 'absent';
  if (unknown.has(instance.providerId)) return 'unknown';
  const provider = deps.providers.get(pool.name)?.get(instance.providerId);
  if (provider === undefined) return 'unknown';
  if (instance.instanceId === null) return 'absent';
  const answer = await answered(provider.get(instance.instanceId));
  if (answer.kind === 'found') return answer.instance;
  return answer.kind === 'absent' ? 'absent' : 'unknown';
};

const viewsOf = (
  rows: readonly Instance[],
  { config, listing, workers }: { config: PoolConfig; listing: PoolListing; workers: readonly Worker[] },
  deps: Deps,
): Promise<readonly InstanceView[]> =>
  Promise.all(
    rows.map(async (instance) => ({
      instance,
      worker: workers.find(({ workerId }) => workerId === instance.workerId),
      seen: instance.condition === 'ended' ? 'absent' : await confirm(instance, config, listing, deps),
    })),
  );

/** One that stops costs little longer; what is known under another id is a second one of the same worker. */
const isOrphan = ({ found }: ListedInstance, rows: readonly Instance[]): boolean => {
  const row = rows.find(({ workerId }) => workerId === found.workerId);
  if (found.state === 'stopping') return false;
  if (row === undefined || row.condition === 'ended') return true;
  return row.instanceId !== null && row.instanceId !== found.instanceId;
};

const workOf = (workers: readonly Worker[], expectedMsOf: (userId: string) => number, now: number) => {
  const held = workers.filter((worker) => worker.held.length > 0);
  const heldMs = held.reduce((sum, worker) => sum + heldMsOf(worker, expectedMsOf, now), 0);
  return { heldMs, busy: held.length };
};

const isReady = ({ condition, quarantined }: Worker): boolean => condition === 'ready' && !quarantined;

interface Outside {
  readonly config: PoolConfig;
  readonly state: PoolState;
  readonly listing: PoolListing;
}

/**
 * Reads what the pools stand on. The revision comes first, then the providers' lists, and the rows last: a row is
 * written before its instance is asked for, so whatever a list shows has its row by then, and what is read here after
 * the revision holds as long as the revision can be claimed.
 */
export const readPools = async (deps: Deps): Promise<readonly PoolReading[]> => {
  const { pools, clock } = deps;
  const outside: readonly Outside[] = await Promise.all(
    pools.map(async (config) => {
      const state = await deps.instances.pool(config.name);
      return { config, state, listing: await listPool(config, deps) };
    }),
  );
  const [rows, workers, shares] = [
    await deps.instances.list(),
    await deps.workers.list(),
    await deps.shares.list(),
  ];
  const entries = await readWaiting(shares, deps);
  const owned = new Set(rows.map(({ workerId }) => workerId));
  const strangers = workers.filter((worker) => !owned.has(worker.workerId) && isReady(worker));
  const offers = await readOffers(rows, entries.length === 0 ? [] : strangers, deps);
  const tasks = shareOut(entries, pools, offers.ofPools);
  const free = new Set(strangers);
  const averages = new Map(shares.users.map(({ userId, averageMs }) => [userId, averageMs]));
  const readings: PoolReading[] = [];
  for (const { config, state, listing } of outside) {
    const own = rows.filter(({ pool }) => pool === config.name);
    const instances = await viewsOf(own, { config, listing, workers }, deps);
    const waiting = tasks.get(config.name) ?? [];
    const helpers = takeHelpers(waiting, free, offers);
    const serving = instances.flatMap(({ worker, instance }) =>
      worker === undefined || instance.condition === 'ended' ? [] : [worker],
    );
    const expectedMsOf = (userId: string): number => averages.get(userId) ?? config.expectedJobSeconds * 1000;
    const limits = { ...config, maxRunningPerUser: deps.maxRunningPerUser };
    readings.push({
      config,
      orphans: listing.listed.filter((each) => isOrphan(each, own)),
      view: {
        instances,
        state,
        waiting: groupByUser(waiting, shares, limits),
        helpers: helpers.length,
        ...workOf([...serving, ...helpers], expectedMsOf, clock.now()),
      },
    });
  }
  return readings;
};
