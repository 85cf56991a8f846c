/** Who may complete a job: the first delivery, and later ones of the same event that pick up what it left. */
import type { DetailOf } from '../../shared-types/index.ts';
import { STORING_MS } from '../core/dispatch/supervise-job.ts';
import { endGuardOf, guardOf } from '../core/job-events.ts';
import { isTerminal, type Job, type JobGuard, type JobUpdate } from '../core/job.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { pushProgress } from './progress-push.ts';

type Heard = DetailOf<'Job Completed'>;

/** What ends an attempt well: its monitor's word, or that of the history where the monitor stays silent. */
export interface Finish extends Pick<
  Heard,
  | 'eventId'
  | 'timestamp'
  | 'jobId'
  | 'attempt'
  | 'sequence'
  | 'workerId'
  | 'promptId'
  | 'durationMs'
  | 'outputCount'
> {
  /** Null where nobody counted. */
  readonly nodes: Pick<Heard, 'completedNodes' | 'cachedNodes' | 'totalNodes'> | null;
}

/** Above every sequence that an event may have (`readEnvelope`): what a monitor says after it is late. */
const UNHEARD_SEQUENCE = 1_000_000_001;

export const finishHeard = (detail: Heard): Finish => ({ ...detail, nodes: detail });
export const finishUnheard = (detail: DetailOf<'Task Finished Unheard'>): Finish => ({
  ...detail,
  sequence: UNHEARD_SEQUENCE,
  nodes: null,
});

export type Claim =
  /** The outputs are ours to store. */
  | { readonly kind: 'claimed'; readonly job: Job }
  /** This very event completed the job before: only the telling may be missing. */
  | { readonly kind: 'completed'; readonly job: Job }
  /** The attempt was found to have failed after this event had claimed it. */
  | { readonly kind: 'failed'; readonly job: Job }
  | { readonly kind: 'stale' };

/** What the job says of this event. */
export const standingOf = (job: Job | undefined, finish: Finish): Claim => {
  if (job === undefined || job.attempt !== finish.attempt) return { kind: 'stale' };
  if (job.status === 'completed') {
    return job.endedByEventId === finish.eventId ? { kind: 'completed', job } : { kind: 'stale' };
  }
  if (job.eventSequence !== finish.sequence) return { kind: 'stale' };
  if (isTerminal(job.status) || job.status === 'pending') return { kind: 'failed', job };
  const isHolder = job.workerId === finish.workerId && job.promptId === finish.promptId;
  return isHolder ? { kind: 'claimed', job } : { kind: 'stale' };
};

/** `Job Started` may have been lost. */
const startOf = ({ timestamp, durationMs }: Finish): string =>
  durationMs === null ? timestamp : new Date(Date.parse(timestamp) - durationMs).toISOString();

/** An event that counted too far was applied before the end: the end may not wait for a higher one. */
const ranAhead = (job: Job | undefined, finish: Finish): boolean =>
  job !== undefined && job.storingSince === null && job.eventSequence > finish.sequence;

const apply = (
  guard: JobGuard,
  before: Job | undefined,
  finish: Finish,
  { jobs, clock }: CompletionDependencies,
): Promise<JobUpdate> =>
  jobs.update({
    guard,
    patch: {
      status: 'running',
      eventSequence: finish.sequence,
      storingSince: new Date(clock.now()).toISOString(),
      dueAt: new Date(clock.now() + STORING_MS).toISOString(),
      durationMs: finish.durationMs,
      startedAt: before?.startedAt ?? startOf(finish),
    },
  });

const isUnheard = ({ sequence }: Finish): boolean => sequence === UNHEARD_SEQUENCE;

/** What nobody heard of must still be so: an event that came since the job was read goes before it. */
const guardOfFinish = (before: Job | undefined, finish: Finish): JobGuard => {
  if (isUnheard(finish))
    return { ...endGuardOf(finish), eventSequenceBelow: (before?.eventSequence ?? 0) + 1 };
  return ranAhead(before, finish) ? endGuardOf(finish) : guardOf(finish);
};

/** The monitor was heard of after all, and its outputs are being stored. */
const isTaken = (before: Job | undefined, finish: Finish): boolean =>
  isUnheard(finish) && (before?.storingSince ?? null) !== null;

export const claim = async (finish: Finish, deps: CompletionDependencies): Promise<Claim> => {
  const before = await deps.jobs.get(finish.jobId);
  if (isTaken(before, finish)) return standingOf(before, finish);
  const updated = await apply(guardOfFinish(before, finish), before, finish, deps);
  if (updated.kind === 'refused') return standingOf(await deps.jobs.get(finish.jobId), finish);
  await pushProgress(updated.job, deps);
  return { kind: 'claimed', job: updated.job };
};
