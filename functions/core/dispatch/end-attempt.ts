/** Ends an attempt from outside, and frees what it held once it has ended. */
import { unchangedGuard } from '../job-guards.ts';
import type { Job, JobFailure } from '../job.ts';
import { settleFailure } from '../settle-failure.ts';
import { freeAttempt } from './give-back.ts';
import { isNotWith } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';

const settle = async (job: Job, failure: JobFailure, deps: DispatchDependencies): Promise<boolean> => {
  await settleFailure(job, failure, deps, unchangedGuard(job));
  return job.workerId !== null && isNotWith(await deps.jobs.get(job.jobId), job.attempt, job.workerId);
};

/** An event that arrives while it is decided wins: then nothing changes here. */
export const endAttempt = async (
  job: Job,
  failure: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  const { jobId, userId, attempt, workerId } = job;
  if (!(await settle(job, failure, deps)) || workerId === null) return;
  await freeAttempt(workerId, { userId, jobId, attempt }, null, deps);
};

/**
 * Ends an attempt whose prompt may still run on its worker: the slot stays taken until it is known not to
 * (`sweepOrphan`), and the user's share is free.
 */
export const abandonAttempt = async (
  job: Job,
  failure: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  const { jobId, userId, attempt } = job;
  if (await settle(job, failure, deps)) await deps.shares.release(userId, jobId, attempt, null);
};
