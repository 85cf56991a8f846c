/** What a task has before it: its place in the fair order, and when it may be done. Estimates, never promises. */
import { costOf, startTagOf, virtualTimeOf } from './dispatch/choose-user.ts';
import type { ExpectedDuration } from './estimate/expected-duration.ts';
import type { Job } from './job.ts';
import type { QueueEntry, QueueStore, Shares, ShareStore, UserShare, WorkerStore } from './ports.ts';
import { entryOf } from './queue-entry.ts';
import { hasTags, waitingFor, type WaitingDependencies, type WaitingScene } from './waiting-for.ts';
import type { Worker } from './worker.ts';

export interface TaskOutlook {
  /** 1 is next; null unless pending. */
  readonly queuePosition: number | null;
  /** Seconds until the end; null when nothing is known. */
  readonly etaSeconds: number | null;
  /** What keeps a pending task besides those before it, in one line. */
  readonly waitingFor?: string | undefined;
}

export const NO_OUTLOOK: TaskOutlook = { queuePosition: null, etaSeconds: null };

export interface OutlookDependencies extends WaitingDependencies {
  readonly queue: QueueStore;
  readonly shares: ShareStore;
  readonly workers: WorkerStore;
  /** What workflows took before; without it, a user's average stands for each of its tasks. */
  readonly expectedDuration?: ExpectedDuration;
}

/** Entries of the own queue that are counted one by one. */
const MAX_OWN = 1000;
const PAGE = 200;
/** Other users whose queues are looked into; more of them are taken for the average of these. */
const MAX_OTHERS = 20;
/** Jobs of another user that are counted. */
const MAX_THEIRS = 1000;
/** Below this, what a node says of its progress says little about the whole. */
const TELLING_PERCENTAGE = 10;
/** A progress that is older says nothing of now: its worker may be gone. */
const STALE_MS = 60_000;
/** Times of what such tasks take after which nobody can say how long this one will take yet. */
const OVERDUE_TIMES = 3;

const seconds = (ms: number): number => Math.round(Math.max(0, ms) / 1000);

/** Entries of the same user that come before the job; undefined when it has no entry, for it is being dispatched. */
const ownAhead = async (
  job: Job,
  queue: QueueStore,
): Promise<{ readonly ahead: number; readonly entry: QueueEntry | undefined }> => {
  let ahead = 0;
  let after: QueueEntry | undefined;
  for (;;) {
    const page = await queue.list(job.userId, PAGE, after);
    const at = page.findIndex(({ jobId }) => jobId === job.jobId);
    if (at >= 0) return { ahead: ahead + at, entry: page[at] };
    ahead += page.length;
    after = page.at(-1);
    if (page.length < PAGE) return { ahead: 0, entry: undefined };
    if (ahead >= MAX_OWN) return { ahead, entry: entryOf(job) };
  }
};

interface Rival {
  readonly share: UserShare;
  /** Jobs of it that come first, if it has as many. */
  readonly limit: number;
}

/** How many of a rival's jobs start before the virtual instant at which the job does. */
const limitOf = (share: UserShare, own: UserShare, startTag: number, virtualTime: number): number => {
  const theirs = startTagOf(share, virtualTime);
  if (theirs > startTag) return 0;
  // Of those that start together, fewest under way go first; beyond that the older one, who may be either.
  const first = theirs === startTag && share.active.length < own.active.length ? 1 : 0;
  return Math.min(MAX_THEIRS, Math.max(first, Math.ceil((startTag - theirs) / Math.max(1, costOf(share)))));
};

const rivalsOf = (shares: Shares, own: UserShare, ahead: number): readonly Rival[] => {
  const virtualTime = virtualTimeOf(shares.users);
  const startTag = startTagOf(own, virtualTime) + ahead * costOf(own);
  return shares.users
    .filter(({ userId, waitingStamp, paused }) => userId !== own.userId && waitingStamp !== null && !paused)
    .map((share) => ({ share, limit: limitOf(share, own, startTag, virtualTime) }))
    .filter(({ limit }) => limit > 0)
    .sort((a, b) => b.limit - a.limit);
};

/** Expected milliseconds of each job that comes before, in no order. */
const othersAhead = async (rivals: readonly Rival[], queue: QueueStore): Promise<readonly number[]> => {
  const seen = rivals.slice(0, MAX_OTHERS);
  const counts = await Promise.all(seen.map(({ share, limit }) => queue.count(share.userId, limit)));
  const costs = seen.flatMap(({ share }, index) =>
    Array.from({ length: counts[index] ?? 0 }, () => costOf(share)),
  );
  const unseen = rivals.length - seen.length;
  const average = Math.ceil(costs.length / Math.max(1, seen.length));
  return [...costs, ...rivals.slice(seen.length).flatMap(({ share }) => costsOf(share, average, unseen))];
};

const costsOf = (share: UserShare, count: number, users: number): readonly number[] =>
  Array.from({ length: Math.min(count, Math.ceil(MAX_THEIRS / users)) }, () => costOf(share));

const isUsable = (worker: Worker, job: Job): boolean =>
  worker.condition === 'ready' && !worker.quarantined && hasTags(worker, job.needs);

type Average = (userId: string) => number | undefined;

/** Of the user, else of all who have one; undefined when nobody does. */
const averagesOf = ({ users }: Shares): Average => {
  const known = new Map(
    users.flatMap(({ userId, averageMs }) => (averageMs === null ? [] : [[userId, averageMs] as const])),
  );
  const all = [...known.values()];
  const overall = all.length === 0 ? undefined : all.reduce((sum, ms) => sum + ms, 0) / all.length;
  return (userId) => known.get(userId) ?? overall;
};

/** Milliseconds until the worker is done with the first `count` of what it holds. */
const busyMs = ({ held }: Worker, count: number, average: Average, now: number): number =>
  held.slice(0, count).reduce((sum, { userId, assignedAt }, index) => {
    const expected = average(userId) ?? 0;
    return sum + (index === 0 ? Math.max(0, expected - (now - Date.parse(assignedAt))) : expected);
  }, 0);

/** When the next of these workers is free after each of the jobs went to the one that was free first. */
const waitMs = (free: readonly number[], costs: readonly number[]): number => {
  const times = [...free];
  for (const cost of costs) {
    const next = times.indexOf(Math.min(...times));
    times[next] = (times[next] ?? 0) + cost;
  }
  return Math.min(...times);
};

/** Until the end, with `ahead` jobs of its own user and these of others before it; null when nothing is known. */
const pendingMs = async (
  job: Job,
  { shares, own, entry, workers, now }: WaitingScene,
  { ahead, others }: { readonly ahead: number; readonly others: readonly number[] },
  deps: OutlookDependencies,
): Promise<number | null> => {
  const average = averagesOf(shares);
  const usable = workers.filter((worker) => isUsable(worker, job));
  if (shares.paused || own.paused || usable.length === 0) return null;
  const usual = average(job.userId);
  const expected = (await deps.expectedDuration?.(job, usable)) ?? usual;
  if (expected === undefined) return null;
  const free = usable.map((worker) => busyMs(worker, worker.held.length, average, now));
  const wait = waitMs(free, [...Array.from({ length: ahead }, () => usual ?? expected), ...others]);
  const notBefore = entry.notBefore === null ? 0 : Date.parse(entry.notBefore) - now;
  return Math.max(wait, notBefore) + expected;
};

const pendingOutlook = async (job: Job, now: number, deps: OutlookDependencies): Promise<TaskOutlook> => {
  const [{ ahead, entry }, shares, workers] = await Promise.all([
    ownAhead(job, deps.queue),
    deps.shares.list(),
    deps.workers.list(),
  ]);
  const own = shares.users.find(({ userId }) => userId === job.userId);
  if (own === undefined || entry === undefined) return { queuePosition: 1, etaSeconds: null };
  const others = await othersAhead(rivalsOf(shares, own, ahead), deps.queue);
  const scene = { shares, own, entry, workers, now };
  const [ms, reason] = await Promise.all([
    pendingMs(job, scene, { ahead, others }, deps),
    waitingFor(job, scene, deps),
  ]);
  const etaSeconds = ms === null ? null : seconds(ms);
  return { queuePosition: 1 + ahead + others.length, etaSeconds, waitingFor: reason };
};

/**
 * By what its monitor estimates, else by its own progress once that says something, else by what such jobs took.
 * Undefined once nothing was heard of its progress for a minute: what was told then is no word on now.
 */
const runningMs = (job: Job, expected: number | undefined, now: number): number | undefined => {
  const age = now - Date.parse(job.updatedAt);
  if (job.progress !== null && age > STALE_MS) return undefined;
  const eta = job.progress?.eta;
  // A monitor that still told the same would have told less by now, but never less than its low bound.
  if (eta) return Math.max(eta.lowSeconds * 1000, (eta.lowSeconds + eta.highSeconds) * 500 - age);
  const elapsed = now - Date.parse(job.startedAt ?? job.assignedAt ?? job.updatedAt);
  // Of a task that takes far longer than such tasks do, and of which its monitor cannot tell, nobody can.
  if (expected !== undefined && elapsed > OVERDUE_TIMES * expected) return undefined;
  const percentage = job.progress?.overallPercentage ?? 0;
  const byProgress = percentage > 0 ? (elapsed * (100 - percentage)) / percentage : undefined;
  if (byProgress !== undefined && percentage >= TELLING_PERCENTAGE) return byProgress;
  return expected === undefined ? byProgress : expected - elapsed;
};

const activeOutlook = async (job: Job, now: number, deps: OutlookDependencies): Promise<TaskOutlook> => {
  if (job.storingSince !== null || job.cancelRequestedAt !== null) return NO_OUTLOOK;
  const average = averagesOf(await deps.shares.list());
  const expected = average(job.userId);
  if (job.status === 'running') {
    const left = runningMs(job, expected, now);
    return { queuePosition: null, etaSeconds: left === undefined ? null : seconds(left) };
  }
  const worker = job.workerId === null ? undefined : await deps.workers.get(job.workerId);
  const before = worker?.held.findIndex(({ jobId }) => jobId === job.jobId) ?? -1;
  if (worker === undefined || before < 0 || expected === undefined) return NO_OUTLOOK;
  return { queuePosition: null, etaSeconds: seconds(busyMs(worker, before, average, now) + expected) };
};

/**
 * Position by start-time fair queueing, as the dispatcher chooses: the own entries that come before, and of other
 * waiting users as many as start before it. Time by what jobs of these users took, over the workers that may be given
 * the task by their tags.
 * @param now milliseconds since the epoch
 */
export const outlookOf = (job: Job, now: number, deps: OutlookDependencies): Promise<TaskOutlook> => {
  switch (job.status) {
    case 'pending':
      return pendingOutlook(job, now, deps);
    case 'assigned':
    case 'running':
      return activeOutlook(job, now, deps);
    case 'completed':
    case 'failed':
    case 'cancelled':
      return Promise.resolve(NO_OUTLOOK);
  }
};
