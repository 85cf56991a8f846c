/** The queue entry of a job. */
import type { Job } from './job.ts';
import type { QueueEntry } from './ports.ts';

/**
 * By default the entry that a pending job waits under: a job turns pending under the instant of its entry.
 * @param queuedAt ISO 8601
 * @param notBefore ISO 8601
 */
export const entryOf = (
  { jobId, userId, priority, needs, queuedAt: sameInstant }: Job,
  queuedAt: string = sameInstant,
  notBefore: string | null = null,
): QueueEntry => ({ jobId, userId, priority, queuedAt, notBefore, needs });
