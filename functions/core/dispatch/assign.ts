/** Gives one pending job to one idle worker: two conditional writes, then POST /prompt. */
import type { PipelineEvent } from '../../../shared-types/index.ts';
import { pushToFollowers } from '../followers.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job, JobFailure } from '../job.ts';
import type { PromptSubmission, QueueEntry } from '../ports.ts';
import { requeuedAt } from '../requeued-at.ts';
import { settleFailure } from '../settle-failure.ts';
import { taskEventBase } from '../task-event.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';
import { promptBody } from './prompt-body.ts';

/**
 * What became of one pair. `jobGone`: another dispatcher took it; `jobFailed`: it is settled; both leave the worker
 * free. `workerTaken`: the job still waits. `workerUnusable`: the job is settled and the worker avoided. `putBack`:
 * the worker is avoided, and the job waits under a new entry.
 */
export type Assignment =
  | { readonly kind: 'dispatched' | 'jobGone' | 'jobFailed' | 'workerTaken' | 'workerUnusable' }
  | { readonly kind: 'putBack'; readonly entry: QueueEntry };

/** A worker that refused a connection is left alone for this long. */
const AVOID_MS = 30_000;
/** Attempts that may end in a refused connection at no cost; events count attempts up to 1,000 only. */
const MAX_FREE_ATTEMPTS = 900;
/** An entry without a job is an aborted submission once it is this old. */
const ORPHAN_MS = 60_000;

const iso = (ms: number): string => new Date(ms).toISOString();

/** A job turns pending under the instant of its entry: any other entry of it is left over. */
const isEntryOf = (entry: QueueEntry, job: Job): boolean => entry.queuedAt === job.queuedAt;

/**
 * True for an entry that nothing waits for. A retry writes its entry before the job turns pending again, so an
 * entry younger than the running assignment is left for that second write.
 */
const isStale = (entry: QueueEntry, job: Job): boolean =>
  job.status === 'pending' ||
  isEntryOf(entry, job) ||
  job.completedAt !== null ||
  (job.assignedAt !== null && job.assignedAt > entry.queuedAt);

const dropStaleEntry = async (
  entry: QueueEntry,
  job: Job | undefined,
  deps: DispatchDependencies,
): Promise<void> => {
  const age = deps.clock.now() - Date.parse(entry.queuedAt);
  if (job === undefined ? age > ORPHAN_MS : isStale(entry, job)) await deps.queue.remove(entry);
};

/** The job of an entry if it still waits; else the entry is cleaned up where that is safe. */
export const pendingJobOf = async (
  entry: QueueEntry,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const job = await deps.jobs.get(entry.jobId);
  if (job?.status === 'pending' && isEntryOf(entry, job)) return job;
  await dropStaleEntry(entry, job, deps);
  return undefined;
};

const assignJob = (job: Job, worker: Worker, promptId: string, deps: DispatchDependencies) =>
  deps.jobs.update({
    guard: { jobId: job.jobId, statuses: ['pending'], attempt: job.attempt },
    patch: {
      status: 'assigned',
      attempt: job.attempt + 1,
      promptId,
      workerId: worker.workerId,
      clientId: worker.clientId,
      eventSequence: 0,
      assignedAt: iso(deps.clock.now()),
      startedAt: null,
      storingSince: null,
      progress: null,
      failure: null,
      clearEarlyOutputs: true,
    },
  });

const dispatchedEvent = (job: Job): PipelineEvent<'Task Dispatched'> => ({
  detailType: 'Task Dispatched',
  detail: {
    ...taskEventBase(job, 'Task Dispatched'),
    queuedMs: Math.max(0, Date.parse(job.updatedAt) - Date.parse(job.queuedAt)),
  },
});

/** Accepted: tell the followers and the bus. Neither may undo a dispatch that has happened. */
const announce = async (job: Job, deps: DispatchDependencies): Promise<void> => {
  await pushToFollowers(job, snapshotOf(job, undefined), deps);
  try {
    await deps.publisher.publish([dispatchedEvent(job)]);
  } catch (error) {
    deps.logger.warn('dispatch.not-announced', { jobId: job.jobId, reason: String(error) });
  }
};

/** Nothing was queued in ComfyUI: the job waits again, and no retry of the user's is spent on it. */
const putBack = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<QueueEntry> => {
  const queuedAt = requeuedAt(job, deps.clock.now());
  const entry: QueueEntry = { jobId: job.jobId, priority: job.priority, queuedAt, notBefore: null };
  // Entry first: a crash in between leaves an entry that is cleaned up, and an assigned job that the sweep heals.
  await deps.queue.put(entry);
  await deps.jobs.update({
    guard: { jobId: job.jobId, statuses: ['assigned'], attempt: job.attempt },
    patch: { status: 'pending', queuedAt, promptId: null, workerId: null, clientId: null },
  });
  await deps.workers.avoid(worker.workerId, iso(deps.clock.now() + AVOID_MS));
  await deps.workers.release(worker.workerId, job.jobId, job.attempt);
  return entry;
};

const fail = async (
  job: Job,
  worker: Worker,
  failure: JobFailure,
  deps: DispatchDependencies,
): Promise<void> => {
  await settleFailure(job, failure, deps);
  await deps.workers.release(worker.workerId, job.jobId, job.attempt);
};

type UnknownOutcome = Extract<PromptSubmission, { kind: 'unknown' }>;

/** `choked`: a 5xx from a worker that is well otherwise and has not the prompt, so that the workflow is suspect. */
type Outcome = PromptSubmission | { readonly kind: 'choked'; readonly message: string };

/**
 * A POST whose outcome is unknown may have been queued (ComfyUI can answer 500 and run it): look the id up.
 * Absent is answered as a failed dispatch, which the retry policy repeats under a new prompt_id.
 */
const settleUnknown = async (
  job: Job,
  worker: Worker,
  unknown: UnknownOutcome,
  deps: DispatchDependencies,
): Promise<Outcome> => {
  const { message, httpStatus = 0 } = unknown;
  const found = await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '');
  deps.logger.warn('dispatch.unknown-outcome', {
    jobId: job.jobId,
    workerId: worker.workerId,
    message,
    found,
  });
  if (found === 'absent' && httpStatus >= 500) return { kind: 'choked', message };
  if (found === 'absent' || found === 'unreachable') return unknown;
  return { kind: 'accepted', droppedNodes: [] };
};

const submit = async (
  job: Job,
  worker: Worker,
  workflow: string | undefined,
  deps: DispatchDependencies,
): Promise<Outcome> => {
  if (workflow === undefined)
    return { kind: 'rejected', message: 'the stored workflow is gone; submit the task again' };
  const identity = { promptId: job.promptId ?? '', clientId: worker.clientId, attempt: job.attempt };
  const first = await deps.comfyUi.submitPrompt(worker.endpoint, promptBody(job, workflow, identity));
  return first.kind === 'unknown' ? settleUnknown(job, worker, first, deps) : first;
};

/** The dispatch failed: a retry is spent, and the worker left alone for a while. */
const giveUp = async (
  job: Job,
  worker: Worker,
  message: string,
  deps: DispatchDependencies,
): Promise<Assignment> => {
  await deps.workers.avoid(worker.workerId, iso(deps.clock.now() + AVOID_MS));
  await fail(job, worker, { reason: 'dispatchFailed', message }, deps);
  return { kind: 'workerUnusable' };
};

const concludeSubmission = async (
  job: Job,
  worker: Worker,
  submission: Outcome,
  deps: DispatchDependencies,
): Promise<Assignment> => {
  switch (submission.kind) {
    case 'accepted':
      if (submission.droppedNodes.length > 0) {
        deps.logger.warn('dispatch.outputs-dropped', {
          jobId: job.jobId,
          nodes: submission.droppedNodes.slice(0, 20),
        });
      }
      await announce(job, deps);
      return { kind: 'dispatched' };
    case 'rejected':
      await fail(job, worker, { reason: 'badWorkflow', ...rejectionOf(submission) }, deps);
      return { kind: 'jobFailed' };
    case 'choked':
      // The worker is not avoided: one workflow would sideline every worker that it is tried on.
      await fail(job, worker, { reason: 'dispatchFailed', message: submission.message }, deps);
      return { kind: 'jobFailed' };
    case 'unknown':
      return giveUp(job, worker, submission.message, deps);
    case 'unreachable':
      if (job.attempt >= MAX_FREE_ATTEMPTS) return giveUp(job, worker, submission.message, deps);
      return { kind: 'putBack', entry: await putBack(job, worker, deps) };
  }
};

const rejectionOf = ({ message, nodeId, nodeType }: Extract<PromptSubmission, { kind: 'rejected' }>) => ({
  message,
  ...(nodeId === undefined ? {} : { nodeId }),
  ...(nodeType === undefined ? {} : { nodeType }),
});

/** The workflow, read while nothing but the worker is held: a failure gives it back at once. */
const readWorkflow = async (
  job: Job,
  worker: Worker,
  attempt: number,
  deps: DispatchDependencies,
): Promise<string | undefined> => {
  try {
    return await deps.workflows.get(job.jobId);
  } catch (error) {
    await deps.workers.release(worker.workerId, job.jobId, attempt);
    throw error;
  }
};

/**
 * The job as assigned, or undefined when another dispatcher was faster. A refusal may be the SDK's own repetition
 * of a write whose answer was lost: the prompt id is ours alone, so it tells.
 */
const takeJob = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<Job | undefined> => {
  const promptId = deps.ids.uuid();
  const assigned = await assignJob(job, worker, promptId, deps);
  if (assigned.kind === 'applied') return assigned.job;
  const fresh = await deps.jobs.get(job.jobId);
  return fresh?.promptId === promptId ? fresh : undefined;
};

/** An entry that stays is recognised as stale later, so its removal may not stop a dispatch. */
const removeEntry = async (entry: QueueEntry, deps: DispatchDependencies): Promise<void> => {
  try {
    await deps.queue.remove(entry);
  } catch (error) {
    deps.logger.warn('dispatch.entry-kept', { jobId: entry.jobId, reason: String(error) });
  }
};

/**
 * Exactly one attempt runs: the worker is claimed, then the job turns assigned with the next attempt number
 * (the fencing token), each on its own condition; whoever loses either race gives back what it holds. When the
 * second write fails, nobody knows whether it happened: the worker stays claimed, and the sweep decides.
 */
export const assign = async (
  entry: QueueEntry,
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<Assignment> => {
  const attempt = job.attempt + 1;
  if (!(await deps.workers.claim(worker.workerId, job.jobId, attempt, iso(deps.clock.now()))))
    return { kind: 'workerTaken' };
  const workflow = await readWorkflow(job, worker, attempt, deps);
  const assigned = await takeJob(job, worker, deps);
  if (assigned === undefined) {
    await deps.workers.release(worker.workerId, job.jobId, attempt);
    return { kind: 'jobGone' };
  }
  await removeEntry(entry, deps);
  return concludeSubmission(assigned, worker, await submit(assigned, worker, workflow, deps), deps);
};
