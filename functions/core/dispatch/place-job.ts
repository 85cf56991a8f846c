/**
 * Finds a place for the job whose turn it is. Exactly one attempt runs: its user is charged, then a slot is taken, then
 * the job turns assigned with the next attempt number (the fencing token), each on its own condition; whoever loses a
 * race gives back what it holds. When the last of these writes fails, nobody knows whether it happened: slot and charge
 * stay, and the sweep decides.
 */
import { modelsKey } from '../estimate/models-key.ts';
import type { Job } from '../job.ts';
import type { Worker } from '../worker.ts';
import { chargeShare } from './charge.ts';
import { giveBack } from './give-back.ts';
import type { Pass, Turn } from './pass.ts';
import { pendingJobOf } from './pending-job.ts';
import type { DispatchDependencies } from './ports.ts';
import type { StoredPrompt } from './submit-prompt.ts';
import { takeJob, type Claimed } from './take-job.ts';

/** A job that is assigned to a worker, which does not know of it yet. */
export interface Placement {
  readonly job: Job;
  readonly worker: Worker;
  readonly prompt: StoredPrompt;
}

export type Placed =
  | { readonly kind: 'placed'; readonly placement: Placement }
  /**
   * `over`: nothing more is to be done with this entry in this pass. `inHand`: the same, for another dispatcher is at
   * it. `again`: whose turn it is must be decided anew, on shares or slots that have changed.
   */
  | { readonly kind: 'over' | 'inHand' | 'again' };

/** The worker of the attempt before: a retry had better go elsewhere. */
const lastWorkerOf = ({ attempts }: Job): string | null => attempts.at(-1)?.workerId ?? null;

/** Takes a slot; workers that others have filled meanwhile leave the pass. */
const claimWorker = async (
  job: Job,
  { pool }: Pass,
  deps: DispatchDependencies,
): Promise<Claimed | undefined> => {
  const { jobId, userId } = job;
  for (;;) {
    const worker = pool.choose(job.needs, jobId, lastWorkerOf(job));
    if (worker === undefined) return undefined;
    const assignedAt = new Date(deps.clock.now()).toISOString();
    const assignment = { jobId, attempt: job.attempt + 1, userId, assignedAt };
    const depth = 1 + deps.limits.prefetchDepth;
    if (await deps.workers.claim(worker.workerId, assignment, depth, modelsKey(job.needs))) {
      const queuedBehind = pool.heldBy(worker.workerId);
      pool.take(worker.workerId, jobId);
      return { worker, queuedBehind };
    }
    pool.drop(worker.workerId);
  }
};

/** Workflow and files, or why they cannot be read: the claims are made meanwhile, and given back then. */
type Reading = Promise<{ readonly prompt: StoredPrompt } | { readonly error: unknown }>;

const readPrompt = async ({ jobId, fileCount }: Job, deps: DispatchDependencies): Reading => {
  try {
    const [workflowText, files] = await Promise.all([
      deps.workflows.get(jobId),
      fileCount === 0 ? [] : deps.workflows.getFiles(jobId),
    ]);
    return { prompt: { workflowText, files } };
  } catch (error) {
    return { error };
  }
};

/** The slot serves the next job of this pass. */
const returnSlot = async (
  worker: Worker,
  job: Job,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<void> => {
  await giveBack(worker.workerId, job, job.attempt + 1, deps);
  pass.pool.giveBack(worker.workerId, job.jobId);
  pass.reconsider();
  await pass.refreshShare(job.userId);
};

const assign = async (
  { entry }: Turn,
  job: Job,
  claimed: Claimed,
  reading: Reading,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<Placed> => {
  const read = await reading;
  const { worker } = claimed;
  if ('error' in read) {
    await returnSlot(worker, job, pass, deps);
    throw read.error;
  }
  const assigned = await takeJob(entry, job, claimed, deps);
  if (assigned !== undefined)
    return { kind: 'placed', placement: { job: assigned, worker, prompt: read.prompt } };
  await returnSlot(worker, job, pass, deps);
  return { kind: 'over' };
};

/** Decides one turn. @throws what a store threw; what is held then is given back, or left to the sweep */
export const placeJob = async (turn: Turn, pass: Pass, deps: DispatchDependencies): Promise<Placed> => {
  const job = await pendingJobOf(turn.entry, deps);
  if (job === undefined) return { kind: 'over' };
  const reading = readPrompt(job, deps);
  const charged = await chargeShare(job, turn.share, pass, deps);
  if (charged.kind !== 'charged') return { kind: charged.kind === 'inHand' ? 'inHand' : 'again' };
  const claimed = await claimWorker(job, pass, deps);
  if (claimed !== undefined) return assign(turn, job, claimed, reading, pass, deps);
  await deps.shares.release(job.userId, job.jobId, job.attempt + 1, 0);
  await pass.refreshShare(job.userId);
  // A slot beside one that still has an older attempt of the same job is free, and not for this job.
  return { kind: pass.pool.canPlace(job.needs) ? 'over' : 'again' };
};
