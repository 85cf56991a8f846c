/** Who may complete a job: the first delivery, and later ones of the same event that pick up what it left. */
import type { DetailOf } from '../../shared-types/index.ts';
import { STORING_MS } from '../core/dispatch/supervise-job.ts';
import { endGuardOf, guardOf } from '../core/job-events.ts';
import { isTerminal, type Job, type JobGuard, type JobUpdate } from '../core/job.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { pushProgress } from './progress-push.ts';

type Detail = DetailOf<'Job Completed'>;

export type Claim =
  /** The outputs are ours to store. */
  | { readonly kind: 'claimed'; readonly job: Job }
  /** This very event completed the job before: only the telling may be missing. */
  | { readonly kind: 'completed'; readonly job: Job }
  /** The attempt was found to have failed after this event had claimed it. */
  | { readonly kind: 'failed'; readonly job: Job }
  | { readonly kind: 'stale' };

/** What the job says of this event. */
export const standingOf = (job: Job | undefined, detail: Detail): Claim => {
  if (job === undefined || job.attempt !== detail.attempt) return { kind: 'stale' };
  if (job.status === 'completed') {
    return job.endedByEventId === detail.eventId ? { kind: 'completed', job } : { kind: 'stale' };
  }
  if (job.eventSequence !== detail.sequence) return { kind: 'stale' };
  if (isTerminal(job.status) || job.status === 'pending') return { kind: 'failed', job };
  const isHolder = job.workerId === detail.workerId && job.promptId === detail.promptId;
  return isHolder ? { kind: 'claimed', job } : { kind: 'stale' };
};

/** `Job Started` may have been lost. */
const startOf = ({ timestamp, durationMs }: Detail): string =>
  durationMs === null ? timestamp : new Date(Date.parse(timestamp) - durationMs).toISOString();

/** An event that counted too far was applied before the end: the end may not wait for a higher one. */
const ranAhead = (job: Job | undefined, detail: Detail): boolean =>
  job !== undefined && job.storingSince === null && job.eventSequence > detail.sequence;

const apply = (
  guard: JobGuard,
  before: Job | undefined,
  detail: Detail,
  { jobs, clock }: CompletionDependencies,
): Promise<JobUpdate> =>
  jobs.update({
    guard,
    patch: {
      status: 'running',
      eventSequence: detail.sequence,
      storingSince: new Date(clock.now()).toISOString(),
      dueAt: new Date(clock.now() + STORING_MS).toISOString(),
      durationMs: detail.durationMs,
      startedAt: before?.startedAt ?? startOf(detail),
    },
  });

export const claim = async (detail: Detail, deps: CompletionDependencies): Promise<Claim> => {
  const before = await deps.jobs.get(detail.jobId);
  const guard = ranAhead(before, detail) ? endGuardOf(detail) : guardOf(detail);
  const updated = await apply(guard, before, detail, deps);
  if (updated.kind === 'refused') return standingOf(await deps.jobs.get(detail.jobId), detail);
  await pushProgress(updated.job, deps);
  return { kind: 'claimed', job: updated.job };
};
