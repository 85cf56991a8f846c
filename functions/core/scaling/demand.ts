/** How many workers the waiting tasks need. */
import type { QueueEntry, Shares, UserShare } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { canRun, type WorkerOffer } from '../workflow/needs.ts';
import { commonTags, type PoolConfig } from './pool-config.ts';

/** Waiting tasks of one user that a pool is to run. */
export interface WaitingTasks {
  readonly userId: string;
  readonly count: number;
  /** Milliseconds that each is expected to take. */
  readonly expectedMs: number;
  /** How many more of the user's tasks workers may hold at once. */
  readonly allowed: number;
}

export interface Demand {
  readonly waiting: readonly WaitingTasks[];
  /** Milliseconds that workers still have to do with what they hold. */
  readonly heldMs: number;
  /** Workers that hold something, those outside the pool that help it among them. */
  readonly busy: number;
  readonly targetMs: number;
}

/**
 * The fewest workers with which the last of the waiting tasks is expected to start within the target. Whatever the
 * order, with n workers no task starts later than the work of all others divided by n (R. L. Graham, Bounds for
 * Certain Multiprocessing Anomalies, 1966). More workers than tasks, or than the users' caps allow, are of no use.
 */
export const workersNeeded = ({ waiting, heldMs, busy, targetMs }: Demand): number => {
  const count = waiting.reduce((sum, group) => sum + group.count, 0);
  if (count === 0) return 0;
  const waitingMs = waiting.reduce((sum, group) => sum + group.count * group.expectedMs, 0);
  const useful = waiting.reduce((sum, group) => sum + Math.min(group.count, group.allowed), 0);
  const needed = Math.ceil((waitingMs - waitingMs / count + heldMs) / targetMs);
  return Math.min(Math.max(1, needed), busy + useful);
};

/** The share of a task's expected time that is at least taken to be left: a late one may end any time. */
const LEAST_LEFT = 0.1;

/** Milliseconds until the worker has done what it holds: the first runs, the others wait behind it. */
export const heldMsOf = (
  { held }: Pick<Worker, 'held'>,
  expectedMsOf: (userId: string) => number,
  now: number,
): number =>
  held.reduce((sum, { userId, assignedAt }, at) => {
    const expected = expectedMsOf(userId);
    const elapsed = at === 0 ? now - Date.parse(assignedAt) : 0;
    return sum + Math.max(expected - elapsed, expected * LEAST_LEFT);
  }, 0);

/** What is known of the workers that a pool launches; none while no one has announced itself. */
export type OffersOfPool = ReadonlyMap<string, readonly WorkerOffer[]>;

const canTake = (pool: PoolConfig, offers: OffersOfPool, { needs }: QueueEntry): boolean => {
  const tags = commonTags(pool);
  const known = offers.get(pool.name) ?? [];
  return (
    needs.tags.every((tag) => tags.has(tag)) &&
    (known.length === 0 || known.some((offer) => canRun(needs, offer)))
  );
};

/** Each waiting task, with the first of the pools that can run it: none is counted twice. */
export const shareOut = (
  entries: readonly QueueEntry[],
  pools: readonly PoolConfig[],
  offers: OffersOfPool,
): ReadonlyMap<string, readonly QueueEntry[]> => {
  const taken = new Map<string, QueueEntry[]>(pools.map(({ name }) => [name, []]));
  for (const entry of entries) {
    const pool = pools.find((candidate) => candidate.max > 0 && canTake(candidate, offers, entry));
    if (pool !== undefined) taken.get(pool.name)?.push(entry);
  }
  return taken;
};

/** The tasks of a pool, by user. */
export const groupByUser = (
  entries: readonly QueueEntry[],
  { users }: Shares,
  { expectedJobSeconds, maxRunningPerUser }: { expectedJobSeconds: number; maxRunningPerUser: number },
): readonly WaitingTasks[] => {
  const shares = new Map<string, UserShare>(users.map((share) => [share.userId, share]));
  const counts = new Map<string, number>();
  for (const { userId } of entries) counts.set(userId, (counts.get(userId) ?? 0) + 1);
  return [...counts].map(([userId, count]) => {
    const share = shares.get(userId);
    return {
      userId,
      count,
      expectedMs: share?.averageMs ?? expectedJobSeconds * 1000,
      allowed: Math.max(0, maxRunningPerUser - (share?.active.length ?? 0)),
    };
  });
};
