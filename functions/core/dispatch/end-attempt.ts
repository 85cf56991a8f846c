/** Ends an attempt from outside, and frees what it held once it has ended. */
import { unchangedGuard } from '../job-guards.ts';
import type { Job, JobFailure } from '../job.ts';
import { settleFailure } from '../settle-failure.ts';
import { freeAttempt } from './give-back.ts';
import { isNotWith } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';

/** An event that arrives while it is decided wins: then nothing changes here. */
export const endAttempt = async (
  job: Job,
  failure: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  const { jobId, userId, attempt, workerId } = job;
  await settleFailure(job, failure, deps, unchangedGuard(job));
  if (workerId === null || !isNotWith(await deps.jobs.get(jobId), attempt, workerId)) return;
  await freeAttempt(workerId, { userId, jobId, attempt }, null, deps);
};
