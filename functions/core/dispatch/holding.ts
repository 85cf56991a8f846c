/** Whether an attempt still has its worker. */
import { isActive } from '../job-guards.ts';
import type { Job } from '../job.ts';

/** True when the job of that attempt ended, moved on, or only stores its outputs. */
export const hasLeft = (job: Job | undefined, attempt: number): boolean =>
  job === undefined || job.attempt !== attempt || !isActive(job) || job.storingSince !== null;

/**
 * True when the worker has nothing of that attempt. Two workers may hold one attempt number of a job, after a claim
 * whose assignment failed: the job says whose it is.
 */
export const isNotWith = (job: Job | undefined, attempt: number, workerId: string): boolean =>
  hasLeft(job, attempt) || job?.workerId !== workerId;
