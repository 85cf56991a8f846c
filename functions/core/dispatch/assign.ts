/** Gives one pending job to one idle worker: three conditional writes, then POST /prompt. */
import { SCHEMA_VERSION, type PipelineEvent } from '../../../shared-types/index.ts';
import { pushToFollowers } from '../followers.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job, JobFailure } from '../job.ts';
import type { PromptSubmission, QueueEntry } from '../ports.ts';
import { settleFailure } from '../settle-failure.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';
import { promptBody } from './prompt-body.ts';

/** What became of one pair. `workerFree`: it can take another; `jobGone`: the entry was stale or taken. */
export type Assignment = 'dispatched' | 'jobGone' | 'jobFailed' | 'workerTaken' | 'workerUnusable';

/** A worker that refused a connection is left alone for this long. */
const AVOID_MS = 30_000;
/** An entry without a job is an aborted submission once it is this old. */
const ORPHAN_MS = 60_000;

const iso = (ms: number): string => new Date(ms).toISOString();

/**
 * Removes an entry that nothing waits for. A retry writes its entry before the job turns pending again, so an
 * entry younger than the running assignment is left for that second write.
 */
const dropStaleEntry = async (
  entry: QueueEntry,
  job: Job | undefined,
  deps: DispatchDependencies,
): Promise<void> => {
  const age = deps.clock.now() - Date.parse(entry.queuedAt);
  const stale =
    job === undefined
      ? age > ORPHAN_MS
      : job.completedAt !== null || (job.assignedAt !== null && job.assignedAt > entry.queuedAt);
  if (stale) await deps.queue.remove(entry);
};

/** The job of an entry if it still waits; else the entry is cleaned up where that is safe. */
export const pendingJobOf = async (
  entry: QueueEntry,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const job = await deps.jobs.get(entry.jobId);
  if (job?.status === 'pending') return job;
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

const dispatchedEvent = (job: Job, deps: DispatchDependencies): PipelineEvent<'Task Dispatched'> => ({
  detailType: 'Task Dispatched',
  detail: {
    eventId: deps.ids.uuid(),
    schemaVersion: SCHEMA_VERSION,
    timestamp: job.updatedAt,
    sequence: job.revision,
    promptId: job.promptId,
    clientId: job.clientId,
    workerId: job.workerId,
    jobId: job.jobId,
    attempt: job.attempt,
    userId: job.userId,
    sessionId: job.sessionId,
    workflowId: job.workflowId,
    priority: job.priority,
    queuedMs: Math.max(0, Date.parse(job.updatedAt) - Date.parse(job.queuedAt)),
  },
});

/** Accepted: tell the followers and the bus. Neither may undo a dispatch that has happened. */
const announce = async (job: Job, deps: DispatchDependencies): Promise<void> => {
  await pushToFollowers(job, snapshotOf(job, undefined), deps);
  try {
    await deps.publisher.publish([dispatchedEvent(job, deps)]);
  } catch (error) {
    deps.logger.warn('dispatch.not-announced', { jobId: job.jobId, reason: String(error) });
  }
};

/** Nothing was queued in ComfyUI: the job waits again, and no retry of the user's is spent on it. */
const putBack = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const queuedAt = iso(deps.clock.now());
  // Entry first: a crash in between leaves an entry that is cleaned up, and an assigned job that the sweep heals.
  await deps.queue.put({ jobId: job.jobId, priority: job.priority, queuedAt, notBefore: null });
  await deps.jobs.update({
    guard: { jobId: job.jobId, statuses: ['assigned'], attempt: job.attempt },
    patch: { status: 'pending', queuedAt, promptId: null, workerId: null, clientId: null },
  });
  await deps.workers.avoid(worker.workerId, iso(deps.clock.now() + AVOID_MS));
  await deps.workers.release(worker.workerId, job.jobId, job.attempt);
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

/**
 * A POST whose outcome is unknown may have been queued (ComfyUI can answer 500 and run it): look the id up.
 * Absent is answered as a failed dispatch, which the retry policy repeats under a new prompt_id.
 */
const settleUnknown = async (
  job: Job,
  worker: Worker,
  message: string,
  deps: DispatchDependencies,
): Promise<PromptSubmission> => {
  const found = await deps.comfyUi.findPrompt(worker.endpoint, job.promptId ?? '');
  deps.logger.warn('dispatch.unknown-outcome', {
    jobId: job.jobId,
    workerId: worker.workerId,
    message,
    found,
  });
  if (found === 'absent' || found === 'unreachable') return { kind: 'unknown', message };
  return { kind: 'accepted', droppedNodes: [] };
};

const submit = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<PromptSubmission> => {
  const workflow = await deps.workflows.get(job.jobId);
  if (workflow === undefined)
    return { kind: 'rejected', message: 'the stored workflow is gone; submit the task again' };
  const identity = { promptId: job.promptId ?? '', clientId: worker.clientId, attempt: job.attempt };
  const first = await deps.comfyUi.submitPrompt(worker.endpoint, promptBody(job, workflow, identity));
  return first.kind === 'unknown' ? settleUnknown(job, worker, first.message, deps) : first;
};

const concludeSubmission = async (
  job: Job,
  worker: Worker,
  submission: PromptSubmission,
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
      return 'dispatched';
    case 'rejected':
      await fail(job, worker, { reason: 'badWorkflow', ...rejectionOf(submission) }, deps);
      return 'jobFailed';
    case 'unknown':
      await deps.workers.avoid(worker.workerId, iso(deps.clock.now() + AVOID_MS));
      await fail(job, worker, { reason: 'dispatchFailed', message: submission.message }, deps);
      return 'workerUnusable';
    case 'unreachable':
      await putBack(job, worker, deps);
      return 'workerUnusable';
  }
};

const rejectionOf = ({ message, nodeId, nodeType }: Extract<PromptSubmission, { kind: 'rejected' }>) => ({
  message,
  ...(nodeId === undefined ? {} : { nodeId }),
  ...(nodeType === undefined ? {} : { nodeType }),
});

/**
 * Exactly one attempt runs: the worker is claimed, then the job turns assigned with the next attempt number
 * (the fencing token), each on its own condition; whoever loses either race gives back what it holds.
 */
export const assign = async (
  entry: QueueEntry,
  job: Job,
  worker: Worker,
  deps: DispatchDependencies,
): Promise<Assignment> => {
  const attempt = job.attempt + 1;
  if (!(await deps.workers.claim(worker.workerId, job.jobId, attempt, iso(deps.clock.now()))))
    return 'workerTaken';
  const assigned = await assignJob(job, worker, deps.ids.uuid(), deps);
  if (assigned.kind === 'refused') {
    await deps.workers.release(worker.workerId, job.jobId, attempt);
    return 'jobGone';
  }
  await deps.queue.remove(entry);
  return concludeSubmission(assigned.job, worker, await submit(assigned.job, worker, deps), deps);
};
