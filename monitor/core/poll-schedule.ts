/** Which REST reads the shell should do now, and when it must look again. The shell itself decides nothing. */
import { isOpen, type Job } from './job.ts';
import type { Poll } from './monitor-input.ts';
import { LIMITS, type MonitorState } from './monitor-state.ts';
import { publishDueAt } from './publish-job.ts';

interface Due {
  readonly poll: Poll;
  readonly dueAt: number;
}

const openJobs = (state: MonitorState): Job[] => [...state.jobs.values()].filter(isOpen);

const queueDueAt = (state: MonitorState, hasOpenJobs: boolean): number => {
  const { clock } = state;
  const rhythm = hasOpenJobs ? LIMITS.reconcileMs : LIMITS.idleQueueMs;
  return Math.min(clock.queueDueAt, clock.queueAskedAt + rhythm);
};

/** After a contradiction the canary sings again after 2 s instead of 5. */
const canaryDueAt = (state: MonitorState): number => {
  const { mismatchSince, deaf } = state.canary;
  const recheck = mismatchSince === undefined || deaf ? Infinity : mismatchSince + LIMITS.canaryRecheckMs;
  return Math.min(state.clock.queueLengthDueAt, recheck);
};

const schedule = (state: MonitorState): Due[] => {
  const canary: Due = { poll: { kind: 'queueLength' }, dueAt: canaryDueAt(state) };
  if (state.stopped) return [];
  if (state.refused || state.misses >= LIMITS.missesToDegrade) return [canary];
  const jobs = openJobs(state);
  return [
    canary,
    { poll: { kind: 'systemStats' }, dueAt: state.clock.statsDueAt },
    { poll: { kind: 'objectInfo' }, dueAt: state.clock.objectInfoDueAt },
    { poll: { kind: 'queue' }, dueAt: queueDueAt(state, jobs.length > 0) },
    ...jobs.flatMap((job): Due[] =>
      job.historyDueAt === undefined
        ? []
        : [{ poll: { kind: 'history', promptId: job.promptId }, dueAt: job.historyDueAt }],
    ),
  ];
};

/** The polls that are due. A poll stays due until its result, or its failure, has been reduced. */
export const pollsWanted = (state: MonitorState, now: number): Poll[] =>
  schedule(state)
    .filter((due) => due.dueAt <= now)
    .map((due) => due.poll);

/** True once the open socket was found to hear nothing: the shell must replace it. */
export const socketIsDeaf = (state: MonitorState): boolean => state.canary.deaf;

/** When the frames' word on how a job ended has to do without its history. */
const overdueAt = (job: Job): number =>
  job.phase.kind === 'ending' && job.phase.claim.kind !== 'end'
    ? job.phase.since + LIMITS.historyGraceMs
    : Infinity;

/** When a tick is needed (ms since the epoch) though nothing may have come in. Polls in flight are left out. */
export const nextWakeAt = (state: MonitorState, inFlight: (poll: Poll) => boolean): number => {
  const polls = schedule(state).filter((due) => !inFlight(due.poll));
  const interval = state.settings.progressIntervalMs;
  return Math.min(
    state.heartbeatDueAt,
    ...polls.map((due) => due.dueAt),
    ...openJobs(state).flatMap((job) => [publishDueAt(job, interval), overdueAt(job)]),
  );
};
