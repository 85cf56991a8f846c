/** What one pass of the dispatcher knows: the workers, the shares, and as much of the queues as it had to read. */
import type { QueueEntry, UserShare } from '../ports.ts';
import { mayRun, nextInLine, sampleOf, virtualTimeOf } from './choose-user.ts';
import { createWorkerPool, type WorkerPool } from './choose-worker.ts';
import { readOffers } from './offers.ts';
import type { DispatchDependencies } from './ports.ts';
import { createUserQueue, type UserQueue } from './user-queue.ts';

export interface Turn {
  readonly share: UserShare;
  readonly entry: QueueEntry;
}

export interface Pass {
  readonly pool: WorkerPool;
  /** The queue of everybody is paused. */
  readonly paused: boolean;
  virtualTime(): number;
  /** The user whose turn it is, and the entry; undefined when nothing that waits can be placed. */
  next(): Promise<Turn | undefined>;
  share(userId: string): UserShare | undefined;
  /** What this pass knows of a share is no longer so: reads it anew. */
  refreshShare(userId: string): Promise<UserShare | undefined>;
  /** Others dispatch as well: slots that they have filled since are none to race for. */
  refreshSlots(): Promise<void>;
  /** What a claim of ours has made of it. */
  setShare(share: UserShare): void;
  drop(entry: QueueEntry): void;
  /** Slots have been given back: what could not be placed before may be now. */
  reconsider(): void;
  /** The queues that were read, by user. */
  queues(): ReadonlyMap<string, UserQueue>;
  /** The mark of the user's queue as it was before the queue was read. */
  stampOf(userId: string): string | null;
}

/** Users in line whose queues are read to find the oldest entry. */
const MAX_EQUALS = 64;
const CONCURRENT_READS = 16;

const oldest = (turns: readonly Turn[]): Turn | undefined =>
  turns.reduce<Turn | undefined>(
    (first, turn) => (first === undefined || turn.entry.queuedAt < first.entry.queuedAt ? turn : first),
    undefined,
  );

/** Reads workers, then shares, consistently, so that the wake-up that follows a write always sees it. */
export const openPass = async (deps: DispatchDependencies): Promise<Pass> => {
  const { clock, limits } = deps;
  const startedAt = clock.now();
  const workers = await deps.workers.list();
  const pool = createWorkerPool(workers, await readOffers(workers, deps), {
    depth: 1 + limits.prefetchDepth,
    now: () => clock.now(),
  });
  const { paused, users } = pool.hasFree() ? await deps.shares.list() : { paused: false, users: [] };
  const shares = new Map(users.map((share) => [share.userId, share]));
  const stamps = new Map(users.map(({ userId, waitingStamp }) => [userId, waitingStamp]));
  const queues = new Map<string, UserQueue>();
  /** Users of whom nothing can be placed as the slots are. */
  const done = new Set<string>();

  const queueOf = (userId: string): UserQueue => {
    const queue = queues.get(userId) ?? createUserQueue(userId, deps.queue, startedAt);
    queues.set(userId, queue);
    return queue;
  };
  const virtualTime = (): number => virtualTimeOf([...shares.values()]);
  const turnOf = async (share: UserShare): Promise<Turn | undefined> => {
    const entry = await queueOf(share.userId).peek(({ needs }) => pool.canPlace(needs));
    if (entry !== undefined) return { share, entry };
    done.add(share.userId);
    return undefined;
  };
  const turnsOf = async (equals: readonly UserShare[]): Promise<readonly Turn[]> => {
    const turns: Turn[] = [];
    for (let at = 0; at < equals.length; at += CONCURRENT_READS) {
      const read = await Promise.all(equals.slice(at, at + CONCURRENT_READS).map(turnOf));
      turns.push(...read.flatMap((turn) => turn ?? []));
    }
    return turns;
  };

  return {
    pool,
    paused,
    virtualTime,
    next: async () => {
      for (;;) {
        const cap = limits.maxRunningPerUser;
        const able = [...shares.values()].filter((share) => mayRun(share, cap) && !done.has(share.userId));
        if (able.length === 0) return undefined;
        const equals = sampleOf(nextInLine(able, virtualTime()), MAX_EQUALS, deps.random);
        const turn = oldest(await turnsOf(equals));
        if (turn !== undefined) return turn;
      }
    },
    share: (userId) => shares.get(userId),
    refreshShare: async (userId) => {
      const fresh = await deps.shares.get(userId);
      if (fresh === undefined) shares.delete(userId);
      else shares.set(userId, fresh);
      return fresh;
    },
    refreshSlots: async () => pool.refresh(await deps.workers.list()),
    setShare: (share) => void shares.set(share.userId, share),
    drop: (entry) => queues.get(entry.userId)?.drop(entry),
    reconsider: () => done.clear(),
    queues: () => queues,
    stampOf: (userId) => stamps.get(userId) ?? null,
  };
};
