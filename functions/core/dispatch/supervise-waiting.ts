/** A prompt that waits in ComfyUI's queue: behind another of ours as a rule, and behind anything at worst. */
import type { Job } from '../job.ts';
import type { Worker } from '../worker.ts';
import { askToEnd } from './ask-to-end.ts';
import { createWorkerPool } from './choose-worker.ts';
import { MAX_FREE_ATTEMPTS } from './conclude-submission.ts';
import { isNotWith } from './holding.ts';
import { readOffers } from './offers.ts';
import type { DispatchDependencies } from './ports.ts';
import { NEXT_SWEEP_MS, postpone } from './postpone.ts';
import { putBack } from './put-back.ts';

/** A queue in which nothing of ours has moved for so long is left for a worker that is idle. */
export const UNMOVED_MS = 120_000;
/** However much moves, and nobody is idle: what waits longer than this, and than it may itself run, waits elsewhere. */
export const MAX_WAIT_MS = 30 * 60_000;

const since = (iso: string, now: number): number => now - Date.parse(iso);

/** One of ours in the same ComfyUI, of which something was heard lately: then the queue moves on. */
const isMoving = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<boolean> => {
  const now = deps.clock.now();
  for (const { jobId, attempt } of worker.held) {
    if (jobId === job.jobId) continue;
    const other = await deps.jobs.get(jobId);
    if (other?.status !== 'running' || isNotWith(other, attempt, worker.workerId)) continue;
    if (since(other.updatedAt, now) < UNMOVED_MS) return true;
  }
  return false;
};

const someoneIsIdle = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<boolean> => {
  const workers = (await deps.workers.list()).filter(
    ({ workerId, held }) => workerId !== worker.workerId && held.length === 0,
  );
  const pool = createWorkerPool(workers, await readOffers(workers, deps), {
    depth: 1,
    now: () => deps.clock.now(),
  });
  return pool.canPlace(job.needs);
};

const hasWaitedEnough = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<boolean> => {
  const waited = since(job.assignedAt ?? job.updatedAt, deps.clock.now());
  if (job.attempt >= MAX_FREE_ATTEMPTS) return false;
  if (waited > Math.max(MAX_WAIT_MS, job.timeoutSeconds * 1000)) return true;
  if (waited < UNMOVED_MS || (await isMoving(job, worker, deps))) return false;
  return someoneIsIdle(job, worker, deps);
};

/** Nobody's fault and nothing lost: the job waits again at no cost, once it is certain that it will not run here. */
export const superviseWaiting = async (
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<void> => {
  if (!(await hasWaitedEnough(job, worker, deps))) return postpone(job, NEXT_SWEEP_MS, deps);
  if ((await askToEnd(worker, job.promptId ?? '', deps)) !== 'absent')
    return postpone(job, NEXT_SWEEP_MS, deps);
  const { jobId, attempt } = job;
  deps.logger.warn('job.waited-in-vain', { jobId, attempt, workerId: worker.workerId });
  await putBack(job, worker, deps);
};
