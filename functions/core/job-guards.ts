/** Conditions of changes that come from no event. */
import { ACTIVE_STATUSES, type Job, type JobGuard } from './job.ts';

/** This attempt is still active. */
export const activeGuard = ({ jobId, attempt }: Job): JobGuard => ({
  jobId,
  attempt,
  statuses: ACTIVE_STATUSES,
});

/** Nothing was heard of the attempt since the job was read: an event that arrives in between wins. */
export const unchangedGuard = (job: Job): JobGuard => ({
  ...activeGuard(job),
  ...(job.workerId === null ? {} : { workerId: job.workerId }),
  eventSequenceBelow: job.eventSequence + 1,
});

export const isActive = ({ status }: Job): boolean =>
  (ACTIVE_STATUSES as readonly Job['status'][]).includes(status);
