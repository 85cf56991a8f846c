/** What follows from the outcome of a submission, for the job, its worker and its user's share. */
import type { PipelineEvent } from '../../../shared-types/index.ts';
import { cancelJob } from '../cancel-job.ts';
import { pushToFollowers } from '../followers.ts';
import { isActive } from '../job-guards.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job, JobFailure } from '../job.ts';
import type { PromptSubmission } from '../ports.ts';
import { settleFailure } from '../settle-failure.ts';
import { taskEventBase } from '../task-event.ts';
import type { Worker } from '../worker.ts';
import type { WorkerPool } from './choose-worker.ts';
import { giveBack } from './give-back.ts';
import type { DispatchDependencies } from './ports.ts';
import { avoidWorker, putBack } from './put-back.ts';
import type { SubmitOutcome } from './submit-prompt.ts';

/**
 * What became of one pair. `dispatched`: ComfyUI has the prompt. `over`: it has not, and slot or job are free again:
 * the attempt ended meanwhile, it failed, or the job waits again.
 */
export type Delivered = 'dispatched' | 'over';

/** Attempts that may end in a refused connection at no cost; events count attempts up to 1,000 only. */
export const MAX_FREE_ATTEMPTS = 900;

const dispatchedEvent = (job: Job): PipelineEvent<'Task Dispatched'> => ({
  detailType: 'Task Dispatched',
  detail: {
    ...taskEventBase(job, 'Task Dispatched'),
    queuedMs: Math.max(0, Date.parse(job.updatedAt) - Date.parse(job.queuedAt)),
  },
});

/** Tells the followers and the bus. Neither may undo a dispatch that has happened. */
const announce = async (job: Job, deps: DispatchDependencies): Promise<void> => {
  await pushToFollowers(job, snapshotOf(job, undefined), deps);
  try {
    await deps.publisher.publish([dispatchedEvent(job)]);
  } catch (error) {
    deps.logger.warn('dispatch.not-announced', { jobId: job.jobId, reason: String(error) });
  }
};

const fail = async (
  job: Job,
  worker: Worker,
  failure: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  await settleFailure(job, failure, deps);
  await giveBack(worker.workerId, job, job.attempt, deps);
};

/** The dispatch failed: a retry is spent, and the worker left alone for a while. */
const giveUp = async (
  job: Job,
  worker: Worker,
  message: string,
  deps: DispatchDependencies,
): Promise<Delivered> => {
  await avoidWorker(worker, deps);
  await fail(job, worker, { reason: 'dispatchFailed', message }, deps);
  return 'over';
};

const tryElsewhere = async (
  job: Job,
  worker: Worker,
  message: string,
  deps: DispatchDependencies,
): Promise<Delivered> => {
  if (job.attempt >= MAX_FREE_ATTEMPTS) return giveUp(job, worker, message, deps);
  await putBack(job, worker, deps);
  return 'over';
};

/** The attempt ended while its prompt was on the way: whoever ended it could not know of the prompt. */
const endLeftover = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<Delivered> => {
  await deps.comfyUi.endPrompt(worker.endpoint, job.promptId ?? '');
  await giveBack(worker.workerId, job, job.attempt, deps);
  return 'over';
};

/**
 * Whoever cancelled the job before the prompt was in ComfyUI could not end it there. A failure in here may not undo
 * the dispatch: what it leaves is the sweep's.
 */
const endIfUnwanted = async (
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<Delivered | undefined> => {
  try {
    const fresh = await deps.jobs.get(job.jobId);
    const isOurs = fresh?.attempt === job.attempt && fresh.promptId === job.promptId;
    if (fresh === undefined || !isOurs || fresh.status === 'cancelled' || fresh.status === 'failed')
      return await endLeftover(job, worker, deps);
    if (isActive(fresh) && fresh.cancelRequestedAt !== null) await cancelJob({ jobId: job.jobId }, deps);
  } catch (error) {
    deps.logger.warn('dispatch.unchecked', { jobId: job.jobId, reason: String(error) });
  }
  return undefined;
};

const accept = async (
  job: Job,
  worker: Worker,
  droppedNodes: readonly string[],
  deps: DispatchDependencies,
): Promise<Delivered> => {
  deps.chokes.took(worker.workerId);
  const nodes = droppedNodes.slice(0, 20);
  if (nodes.length > 0) deps.logger.warn('dispatch.outputs-dropped', { jobId: job.jobId, nodes });
  await announce(job, deps);
  return (await endIfUnwanted(job, worker, deps)) ?? 'dispatched';
};

const rejectionOf = ({ message, nodeId, nodeType }: Extract<PromptSubmission, { kind: 'rejected' }>) => ({
  message,
  ...(nodeId === undefined ? {} : { nodeId }),
  ...(nodeType === undefined ? {} : { nodeType }),
});

/**
 * A worker that nothing was known of may simply lack a node or a model: where another is known to have them, its
 * refusal proves nothing.
 */
const reject = async (
  job: Job,
  worker: Worker,
  rejection: Extract<PromptSubmission, { kind: 'rejected' }>,
  pool: WorkerPool,
  deps: DispatchDependencies,
): Promise<Delivered> => {
  if (worker.catalogueHash === null && pool.isKnownToRunElsewhere(job.needs, worker.workerId))
    return tryElsewhere(job, worker, rejection.message, deps);
  await fail(job, worker, { reason: 'badWorkflow', ...rejectionOf(rejection) }, deps);
  return 'over';
};

/** The worker is not avoided at once: one workflow would sideline every worker that it is tried on. */
const choke = async (
  job: Job,
  worker: Worker,
  message: string,
  deps: DispatchDependencies,
): Promise<Delivered> => {
  if (deps.chokes.choked(worker.workerId, job.jobId)) return giveUp(job, worker, message, deps);
  await fail(job, worker, { reason: 'dispatchFailed', message }, deps);
  return 'over';
};

/** Settles what the outcome says. */
export const concludeSubmission = async (
  job: Job,
  worker: Worker,
  outcome: SubmitOutcome,
  pool: WorkerPool,
  deps: DispatchDependencies,
): Promise<Delivered> => {
  switch (outcome.kind) {
    case 'accepted':
      return accept(job, worker, outcome.droppedNodes, deps);
    case 'rejected':
      return reject(job, worker, outcome, pool, deps);
    case 'choked':
      return choke(job, worker, outcome.message, deps);
    case 'sourceUnavailable':
      await fail(job, worker, { reason: 'dispatchFailed', message: outcome.message }, deps);
      return 'over';
    case 'unknown':
      return giveUp(job, worker, outcome.message, deps);
    case 'unreachable':
      return tryElsewhere(job, worker, outcome.message, deps);
  }
};
