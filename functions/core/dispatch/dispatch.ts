/** One pass of the dispatcher: pending jobs, in the order of the queue, to idle workers. */
import { PipelineError } from '../errors.ts';
import type { QueueEntry } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { assign, pendingJobOf } from './assign.ts';
import type { DispatchDependencies } from './ports.ts';

export interface DispatchReport {
  readonly dispatched: number;
  readonly idleWorkers: number;
  readonly pendingSeen: number;
}

/** Entries of one read. Retries that are not due yet may fill whole pages, so pages are read until workers are out. */
const PAGE = 100;

const isUsable = (worker: Worker, now: number): boolean =>
  worker.status === 'idle' && (worker.avoidUntil === null || Date.parse(worker.avoidUntil) <= now);

const isDue = (entry: QueueEntry, now: number): boolean =>
  entry.notBefore === null || Date.parse(entry.notBefore) <= now;

/** Tries the workers in turn; true when the job went to one. Workers that cannot take more leave the list. */
const placeJob = async (first: QueueEntry, idle: Worker[], deps: DispatchDependencies): Promise<boolean> => {
  let entry = first;
  while (idle.length > 0) {
    const job = await pendingJobOf(entry, deps);
    const worker = job === undefined ? undefined : idle.shift();
    if (job === undefined || worker === undefined) return false;
    const outcome = await assign(entry, job, worker, deps);
    switch (outcome.kind) {
      case 'dispatched':
        return true;
      case 'jobGone':
      case 'jobFailed':
        idle.unshift(worker);
        return false;
      case 'workerUnusable':
        return false;
      case 'putBack':
        entry = outcome.entry;
        break;
      case 'workerTaken':
        break;
    }
  }
  return false;
};

/** One read of the queue after another, until its end or until the reader stops. */
async function* duePages(
  now: number,
  { queue }: DispatchDependencies,
): AsyncGenerator<readonly QueueEntry[]> {
  let page = await queue.list(PAGE);
  while (page.length > 0) {
    yield page.filter((entry) => isDue(entry, now));
    page = page.length < PAGE ? [] : await queue.list(PAGE, page.at(-1));
  }
}

/** One job that cannot be read or placed must not keep the others waiting: it is logged, and thrown at the end. */
const placeEach = async (
  entries: readonly QueueEntry[],
  idle: Worker[],
  failures: unknown[],
  deps: DispatchDependencies,
): Promise<number> => {
  let dispatched = 0;
  for (const entry of entries) {
    if (idle.length === 0) break;
    try {
      if (await placeJob(entry, idle, deps)) dispatched += 1;
    } catch (error) {
      failures.push(error);
      deps.logger.error('dispatch.failed', { jobId: entry.jobId, reason: String(error) });
    }
  }
  return dispatched;
};

/** Repeating the pass cures what is not known to be incurable. */
const throwIfRetryable = (failures: readonly unknown[]): void => {
  const retryable = failures.find((error) => !(error instanceof PipelineError) || error.retryable);
  if (retryable !== undefined) throw retryable;
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
  const failures: unknown[] = [];
  let dispatched = 0;
  let pendingSeen = 0;
  if (idleWorkers > 0) {
    for await (const entries of duePages(now, deps)) {
      pendingSeen += entries.length;
      dispatched += await placeEach(entries, idle, failures, deps);
      if (idle.length === 0) break;
    }
  }
  throwIfRetryable(failures);
  return { dispatched, idleWorkers, pendingSeen };
};
