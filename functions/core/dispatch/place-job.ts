/** Brings the job whose turn it is to a worker: its user is charged, then a slot is taken, then it is assigned. */
import { modelsKey } from '../estimate/models-key.ts';
import type { Job } from '../job.ts';
import type { QueueEntry, UserShare } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { assign } from './assign.ts';
import { chargeShare } from './charge.ts';
import type { Pass, Turn } from './pass.ts';
import { pendingJobOf } from './pending-job.ts';
import type { DispatchDependencies } from './ports.ts';

/**
 * `dispatched`: ComfyUI has it. `over`: nothing more is to be done with this entry in this pass. `inHand`: the same, for
 * another dispatcher is at it. `again`: whose turn
 * it is must be decided anew, on shares or slots that have changed.
 */
export type Placed = 'dispatched' | 'over' | 'inHand' | 'again';

/** The worker of the attempt before: a retry had better go elsewhere. */
const lastWorkerOf = ({ attempts }: Job): string | null => attempts.at(-1)?.workerId ?? null;

/** Takes a slot; workers that others have filled meanwhile leave the pass. */
const claimWorker = async (
  job: Job,
  { pool }: Pass,
  deps: DispatchDependencies,
): Promise<Worker | undefined> => {
  const { jobId, userId } = job;
  for (;;) {
    const worker = pool.choose(job.needs, jobId, lastWorkerOf(job));
    if (worker === undefined) return undefined;
    const assignedAt = new Date(deps.clock.now()).toISOString();
    const assignment = { jobId, attempt: job.attempt + 1, userId, assignedAt };
    const depth = 1 + deps.limits.prefetchDepth;
    if (await deps.workers.claim(worker.workerId, assignment, depth, modelsKey(job.needs))) {
      pool.take(worker.workerId, jobId);
      return worker;
    }
    pool.drop(worker.workerId);
  }
};

/** `jobGone` and the like leave the slot free: it serves the next job of this pass. */
const returnSlot = async (worker: Worker, job: Job, pass: Pass): Promise<void> => {
  pass.pool.giveBack(worker.workerId, job.jobId);
  pass.reconsider();
  await pass.refreshShare(job.userId);
};

interface Step {
  readonly placed: Placed;
  /** The entry under which the job waits again: it is tried elsewhere at once. */
  readonly retry?: QueueEntry;
}

const assignTo = async (
  worker: Worker,
  entry: QueueEntry,
  job: Job,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<Step> => {
  const outcome = await assign(entry, job, worker, pass.pool, deps);
  switch (outcome.kind) {
    case 'dispatched':
      return { placed: 'dispatched' };
    case 'jobGone':
    case 'jobFailed':
      await returnSlot(worker, job, pass);
      return { placed: 'over' };
    case 'workerUnusable':
      pass.pool.drop(worker.workerId);
      await pass.refreshShare(job.userId);
      return { placed: 'over' };
    case 'putBack':
      pass.pool.drop(worker.workerId);
      await pass.refreshShare(job.userId);
      return { placed: 'over', retry: outcome.entry };
  }
};

const placeOnce = async (
  entry: QueueEntry,
  share: UserShare,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<Step> => {
  const job = await pendingJobOf(entry, deps);
  if (job === undefined) return { placed: 'over' };
  const charged = await chargeShare(job, share, pass, deps);
  if (charged.kind !== 'charged') return { placed: charged.kind === 'inHand' ? 'inHand' : 'again' };
  const worker = await claimWorker(job, pass, deps);
  if (worker !== undefined) return assignTo(worker, entry, job, pass, deps);
  await deps.shares.release(job.userId, job.jobId, job.attempt + 1, 0);
  await pass.refreshShare(job.userId);
  // A slot beside one that still has an older attempt of the same job is free, and not for this job.
  return { placed: pass.pool.canPlace(job.needs) ? 'over' : 'again' };
};

/** How often a job that was put back may lose the race for its own turn in one pass. */
const MAX_RACES = 5;

/** A job that a worker could not take is tried on the next one at once: it was its turn. */
const placeElsewhere = async (first: QueueEntry, pass: Pass, deps: DispatchDependencies): Promise<Placed> => {
  let entry = first;
  for (let races = 0; races < MAX_RACES;) {
    const share = pass.share(entry.userId);
    if (share === undefined || !pass.pool.canPlace(entry.needs)) return 'over';
    const { placed, retry } = await placeOnce(entry, share, pass, deps);
    if (placed === 'again') races += 1;
    else if (retry === undefined) return placed;
    entry = retry ?? entry;
  }
  return 'over';
};

export const placeJob = async (
  { entry, share }: Turn,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<Placed> => {
  const { placed, retry } = await placeOnce(entry, share, pass, deps);
  return retry === undefined ? placed : placeElsewhere(retry, pass, deps);
};
