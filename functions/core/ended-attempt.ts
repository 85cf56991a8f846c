/** What is kept of an attempt that has ended. */
import type { EndedAttempt, Job, JobFailure } from './job.ts';

/**
 * @param job as it was while the attempt was active
 * @param endedAt ISO 8601
 */
export const endedAttempt = (
  { attempt, workerId, promptId, assignedAt, startedAt }: Job,
  outcome: EndedAttempt['outcome'],
  failure: JobFailure | null,
  endedAt: string,
): EndedAttempt => ({ attempt, workerId, promptId, assignedAt, startedAt, endedAt, outcome, failure });
