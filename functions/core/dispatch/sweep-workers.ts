/** Workers that fell silent, and slots that nothing holds any more. */
import type { Job } from '../job.ts';
import type { Assignment, Worker } from '../worker.ts';
import { endAttempt } from './end-attempt.ts';
import { freeAttempt } from './give-back.ts';
import { isNotWith } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';
import { START_GRACE_MS } from './start-grace.ts';

/** A worker is lost after this long without a heartbeat (three of them). */
export const WORKER_LEASE_MS = 60_000;

const since = (iso: string, now: number): number => now - Date.parse(iso);

const loseAttempt = (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const how = worker.condition === 'stopped' ? 'stopped' : 'fell silent';
  const message = `worker ${worker.workerId} ${how}`;
  return endAttempt(job, { reason: 'workerLost', message }, deps);
};

const sweepHeld = async (
  held: Assignment,
  worker: Worker,
  isSilent: boolean,
  deps: DispatchDependencies,
): Promise<void> => {
  const job = await deps.jobs.get(held.jobId);
  if (job !== undefined && !isNotWith(job, held.attempt, worker.workerId)) {
    if (isSilent) await loseAttempt(job, worker, deps);
    return;
  }
  // Claim and assignment are two writes, milliseconds apart: what is young is left to its dispatcher.
  if (since(held.assignedAt, deps.clock.now()) < START_GRACE_MS && !isSilent) return;
  await freeAttempt(worker.workerId, held, null, deps);
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
const sweepAll = async (worker: Worker, isSilent: boolean, deps: DispatchDependencies): Promise<void> => {
  for (const held of worker.held) {
    try {
      await sweepHeld(held, worker, isSilent, deps);
    } catch (error) {
      const { workerId } = worker;
      deps.logger.error('sweep.failed', { workerId, jobId: held.jobId, reason: String(error) });
    }
  }
};

export const sweepWorker = async (worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const isSilent = since(worker.lastSeenAt, deps.clock.now()) > WORKER_LEASE_MS;
  if (isSilent && !(await markLost(worker, deps))) return;
  await sweepAll(worker, isSilent, deps);
};
