/** One pass of the dispatcher: pending jobs, in the order of the queue, to idle workers. */
import type { QueueEntry } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { assign, pendingJobOf } from './assign.ts';
import type { DispatchDependencies } from './ports.ts';

export interface DispatchReport {
  readonly dispatched: number;
  readonly idleWorkers: number;
  readonly pendingSeen: number;
}

/** Entries read beyond the number of idle workers, because some are stale or not due yet. */
const SPARE_ENTRIES = 50;

const isUsable = (worker: Worker, now: number): boolean =>
  worker.status === 'idle' && (worker.avoidUntil === null || Date.parse(worker.avoidUntil) <= now);

const isDue = (entry: QueueEntry, now: number): boolean =>
  entry.notBefore === null || Date.parse(entry.notBefore) <= now;

/** Tries the workers in turn; true when the job went to one. Workers that cannot take more leave the list. */
const placeJob = async (entry: QueueEntry, idle: Worker[], deps: DispatchDependencies): Promise<boolean> => {
  let job = await pendingJobOf(entry, deps);
  let worker = idle.shift();
  while (job !== undefined && worker !== undefined) {
    const outcome = await assign(entry, job, worker, deps);
    if (outcome === 'dispatched') return true;
    if (outcome === 'jobGone' || outcome === 'jobFailed') {
      idle.unshift(worker);
      return false;
    }
    job = await pendingJobOf(entry, deps);
    worker = idle.shift();
  }
  if (worker !== undefined) idle.unshift(worker);
  return false;
};

/**
 * Reads workers and queue consistently, so that the wake-up that follows a write always sees it.
 * Idle workers are tried longest-idle first, so that work spreads.
 */
export const dispatchPending = async (deps: DispatchDependencies): Promise<DispatchReport> => {
  const now = deps.clock.now();
  const workers = await deps.workers.list();
  const idle = workers.filter((worker) => isUsable(worker, now));
  idle.sort((a, b) => (a.assignedAt ?? '').localeCompare(b.assignedAt ?? ''));
  const idleWorkers = idle.length;
  if (idleWorkers === 0) return { dispatched: 0, idleWorkers, pendingSeen: 0 };
  const entries = (await deps.queue.list(idleWorkers + SPARE_ENTRIES)).filter((entry) => isDue(entry, now));
  let dispatched = 0;
  for (const entry of entries) {
    if (idle.length === 0) break;
    if (await placeJob(entry, idle, deps)) dispatched += 1;
  }
  return { dispatched, idleWorkers, pendingSeen: entries.length };
};
