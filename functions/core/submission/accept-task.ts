/** Makes a task durable: after it answered, the task will be dispatched. */
import type { PipelineEvent, SubmitTaskResponse } from '../../../shared-types/index.ts';
import type { Job } from '../job.ts';
import type {
  Clock,
  EventPublisher,
  JobFile,
  JobStore,
  Logger,
  QueueStore,
  WorkflowStore,
} from '../ports.ts';
import { entryOf } from '../queue-entry.ts';
import { taskEventBase } from '../task-event.ts';
import { KEY_CONFLICT, type IdempotencyDependencies, type IdempotencyKey } from './idempotency.ts';
import { newJob, type JobRequest } from './new-job.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface AcceptDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
  readonly workflows: WorkflowStore;
  readonly publisher: EventPublisher;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface TaskDraft {
  readonly request: JobRequest;
  /** Every digit as it was sent. */
  readonly workflowText: string;
  readonly files: readonly JobFile[];
}

export type Accepted = { readonly kind: 'accepted'; readonly task: SubmitTaskResponse } | Refusal;

const accepted = (job: Job): Accepted => ({
  kind: 'accepted',
  task: { id: job.jobId, workflow_id: job.workflowId, status: 'pending', created_at: job.createdAt },
});

/**
 * The task that the key stands for already; a refusal when that is another request. Undefined when there is none: the
 * key is new, or whoever claimed it did not come to making the task.
 */
export const repeated = async (
  { userId, keyHash, requestHash }: IdempotencyKey,
  { jobs, idempotency }: Pick<AcceptDependencies & IdempotencyDependencies, 'jobs' | 'idempotency'>,
): Promise<Accepted | undefined> => {
  const first = await idempotency.get(userId, keyHash);
  if (first === undefined) return undefined;
  if (first.requestHash !== requestHash) return refuse(409, KEY_CONFLICT);
  const job = await jobs.get(first.jobId);
  return job === undefined ? undefined : accepted(job);
};

const putWorkflow = async (
  { request: { jobId }, workflowText, files }: TaskDraft,
  { workflows }: AcceptDependencies,
): Promise<'stored' | 'different'> => {
  const text = await workflows.put(jobId, workflowText);
  if (text === 'different' || files.length === 0) return text;
  return workflows.putFiles(jobId, files);
};

const submittedEvent = (job: Job): PipelineEvent<'Task Submitted'> => ({
  detailType: 'Task Submitted',
  detail: taskEventBase(job, 'Task Submitted'),
});

/** The wake-up may fail: the sweep dispatches what nobody was told of. */
const wake = async (job: Job, { publisher, logger }: AcceptDependencies): Promise<void> => {
  try {
    await publisher.publish([submittedEvent(job)]);
  } catch (error) {
    logger.warn('task.wake-up-failed', { jobId: job.jobId, reason: String(error) });
  }
};

/** The same request at the same time, or this one before its answer was lost: the job is there, and queued. */
const settleExisting = async (job: Job, deps: AcceptDependencies): Promise<Accepted> => {
  const there = await deps.jobs.get(job.jobId);
  if (there === undefined) return refuse(409, KEY_CONFLICT);
  const isSameEntry = there.queuedAt === job.queuedAt && there.priority === job.priority;
  if (!isSameEntry) await deps.queue.remove(entryOf(job));
  if (there.requestHash !== job.requestHash) return refuse(409, KEY_CONFLICT);
  await wake(there, deps);
  return accepted(there);
};

/**
 * Workflow, then queue entry, then job: a crash in between leaves at most an entry without a job, which the
 * dispatcher removes; never a job that nothing would find. A repetition with the same key finishes what was begun.
 */
export const acceptTask = async (draft: TaskDraft, deps: AcceptDependencies): Promise<Accepted> => {
  const job = newJob(draft.request, new Date(deps.clock.now()).toISOString());
  if ((await putWorkflow(draft, deps)) === 'different') return refuse(409, KEY_CONFLICT);
  await deps.queue.put(entryOf(job));
  if ((await deps.jobs.create(job)) === 'exists') return settleExisting(job, deps);
  await wake(job, deps);
  return accepted(job);
};
