/** One step of the reducer: a private draft of the state, and what the step yields beside it. */
import { copyJob, isOpen, openJob, type Job } from './job.ts';
import { LIMITS, type CountName, type MonitorEvent, type MonitorState } from './monitor-state.ts';

type Draft = { -readonly [K in keyof MonitorState]: MonitorState[K] };

export interface Turn {
  readonly now: number;
  readonly newEventId: () => string;
  readonly state: Draft;
  readonly events: MonitorEvent[];
  readonly counts: CountName[];
  /** The draft's own job map, once something was changed; each job in `mine` is a private copy. */
  jobs: Map<string, Job> | undefined;
  readonly mine: Set<string>;
}

export const beginTurn = (state: MonitorState, now: number, newEventId: () => string): Turn => ({
  now,
  newEventId,
  state: { ...state },
  events: [],
  counts: [],
  jobs: undefined,
  mine: new Set(),
});

const ownJobs = (turn: Turn): Map<string, Job> => {
  if (turn.jobs === undefined) {
    turn.jobs = new Map(turn.state.jobs);
    turn.state.jobs = turn.jobs;
  }
  return turn.jobs;
};

/** The job to change in this turn, or undefined. */
export const draftJob = (turn: Turn, promptId: string): Job | undefined => {
  const job = turn.state.jobs.get(promptId);
  if (job === undefined || turn.mine.has(promptId)) return job;
  const copy = copyJob(job);
  ownJobs(turn).set(promptId, copy);
  turn.mine.add(promptId);
  return copy;
};

/** A set with `item` as its newest member and at most `cap` members. */
const withNewest = (set: ReadonlySet<string>, item: string, cap: number): Set<string> => {
  const next = new Set(set);
  next.delete(item);
  next.add(item);
  for (const oldest of next) {
    if (next.size <= cap) break;
    next.delete(oldest);
  }
  return next;
};

/** Forgets a job; of one that ended, the prompt id stays known so that it is never reported again. */
export const dropJob = (turn: Turn, job: Job): void => {
  ownJobs(turn).delete(job.promptId);
  if (isOpen(job)) return;
  turn.state.finished = withNewest(turn.state.finished, job.promptId, LIMITS.finishedPrompts);
};

/** Closed jobs go first, then prompts that may not be ours, then the oldest. */
const evictOne = (turn: Turn): void => {
  const jobs = [...turn.state.jobs.values()];
  const victim =
    jobs.find((job) => !isOpen(job)) ?? jobs.find((job) => job.ownership === 'unknown') ?? jobs[0];
  if (victim === undefined) return;
  dropJob(turn, victim);
  turn.counts.push('jobsEvicted');
};

export const addJob = (turn: Turn, promptId: string, ownership: Job['ownership']): Job => {
  if (turn.state.jobs.size >= LIMITS.jobs) evictOne(turn);
  const job = openJob(promptId, turn.now, ownership);
  ownJobs(turn).set(promptId, job);
  turn.mine.add(promptId);
  return job;
};

/** Remembers a prompt of another client, so that its broadcasts need no look-up. */
export const rememberForeign = (turn: Turn, promptId: string): void => {
  turn.state.foreign = withNewest(turn.state.foreign, promptId, LIMITS.foreignPrompts);
};

/** Asks for /queue soon, with the given spacing (ms) from the last one. */
export const wantQueue = (turn: Turn, spacing: number): void => {
  const { clock } = turn.state;
  const dueAt = Math.max(turn.now, clock.queueAskedAt + spacing);
  turn.state.clock = { ...clock, queueDueAt: Math.min(clock.queueDueAt, dueAt) };
};

export const wantHistory = (job: Job, dueAt: number): void => {
  job.historyDueAt = Math.min(job.historyDueAt ?? Infinity, dueAt);
};

/** Jobs that could not be heard of are not blamed for it: their silence counts from now on. */
export const forgiveSilence = (turn: Turn): void => {
  for (const { promptId, phase } of turn.state.jobs.values()) {
    const job = phase.kind === 'closed' ? undefined : draftJob(turn, promptId);
    if (job !== undefined) job.frameAt = turn.now;
  }
};

/** Fewer prompts than were known of when the socket was last heard: at least one ended meanwhile. */
export const noteUnseenEnd = (turn: Turn, remaining: number): void => {
  const before = turn.state.queueRemaining;
  if (before !== null && remaining < before) turn.state.endedUnseenAt = turn.now;
};
