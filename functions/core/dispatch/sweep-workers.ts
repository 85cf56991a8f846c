/** Workers that fell silent, and slots that nothing holds any more. */
import type { Assignment, Worker } from '../worker.ts';
import { isNotWith } from './holding.ts';
import { loseAttempt, loseUnreachable } from './lose-attempt.ts';
import type { DispatchDependencies } from './ports.ts';
import { START_GRACE_MS } from './start-grace.ts';
import { sweepOrphan } from './sweep-orphan.ts';

/** A ComfyUI that restarts, or is too busy to answer for a moment, is given this long. */
export const FAILED_MS = 60_000;

const since = (iso: string, now: number): number => now - Date.parse(iso);

/** What is to be held of a worker: `failed` is one whose monitor lives, and whose ComfyUI has not answered it for long. */
type Standing = 'heard' | 'silent' | 'failed';

const standingOf = ({ lastSeenAt, failedSince }: Worker, deps: DispatchDependencies): Standing => {
  const now = deps.clock.now();
  if (since(lastSeenAt, now) > deps.limits.workerLeaseMs) return 'silent';
  const hasFailed = failedSince !== undefined && failedSince !== null;
  return hasFailed && since(failedSince, now) > FAILED_MS ? 'failed' : 'heard';
};

const sweepHeld = async (
  held: Assignment,
  worker: Worker,
  standing: Standing,
  deps: DispatchDependencies,
): Promise<void> => {
  const job = await deps.jobs.get(held.jobId);
  if (job !== undefined && !isNotWith(job, held.attempt, worker.workerId)) {
    if (standing === 'silent') await loseAttempt(job, worker, deps);
    if (standing === 'failed') await loseUnreachable(job, worker, deps);
    return;
  }
  // Claim and assignment are two writes, milliseconds apart: what is young is left to its dispatcher.
  if (since(held.assignedAt, deps.clock.now()) < START_GRACE_MS && standing !== 'silent') return;
  await sweepOrphan(held, job, worker, deps);
};

/** False when it was heard of after all. */
const markLost = async (worker: Worker, deps: DispatchDependencies): Promise<boolean> => {
  const { workerId, condition, lastSeenAt } = worker;
  if (condition === 'lost' || condition === 'stopped') return true;
  if (!(await deps.workers.markLost(workerId, lastSeenAt))) return false;
  deps.logger.warn('worker.lost', { workerId, lastSeenAt });
  return true;
};

/** One attempt that cannot be looked at does not keep the others from it. */
const sweepAll = async (worker: Worker, standing: Standing, deps: DispatchDependencies): Promise<void> => {
  for (const held of worker.held) {
    try {
      await sweepHeld(held, worker, standing, deps);
    } catch (error) {
      const { workerId } = worker;
      deps.logger.error('sweep.failed', { workerId, jobId: held.jobId, reason: String(error) });
    }
  }
};

export const sweepWorker = async (worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const standing = standingOf(worker, deps);
  if (standing === 'silent' && !(await markLost(worker, deps))) return;
  await sweepAll(worker, standing, deps);
};
