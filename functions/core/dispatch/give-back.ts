/** Returns what a dispatch held: the slot of the worker, and the charge to the user's share. */
import type { Job } from '../job.ts';
import type { Assignment } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';

/**
 * The attempt left its worker. Whoever comes second changes nothing.
 * @param actualMs milliseconds of ComfyUI; 0 when it never ran, null when nobody knows
 */
export const freeAttempt = async (
  workerId: string,
  { userId, jobId, attempt }: Pick<Assignment, 'userId' | 'jobId' | 'attempt'>,
  actualMs: number | null,
  { workers, shares }: Pick<DispatchDependencies, 'workers' | 'shares'>,
): Promise<void> => {
  await workers.release(workerId, jobId, attempt);
  await shares.release(userId, jobId, attempt, actualMs);
};

/** An attempt that never reached ComfyUI. */
export const giveBack = (
  workerId: string,
  { userId, jobId }: Job,
  attempt: number,
  deps: DispatchDependencies,
): Promise<void> => freeAttempt(workerId, { userId, jobId, attempt }, 0, deps);
