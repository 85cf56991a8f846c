/** Accepts a task: after it answered, the task is durable and will be dispatched. */
import type { PipelineEvent, SubmitTaskResponse } from '../../../shared-types/index.ts';
import type { Job } from '../job.ts';
import { taskEventBase } from '../task-event.ts';
import type { Clock, EventPublisher, Ids, JobStore, Logger, QueueStore, WorkflowStore } from '../ports.ts';
import type { Submission } from './parse-submission.ts';

export interface SubmitDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
  readonly workflows: WorkflowStore;
  readonly publisher: EventPublisher;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

type AcceptedSubmission = Extract<Submission, { kind: 'ok' }>;

const newJob = (jobId: string, userId: string, { fields }: AcceptedSubmission, now: string): Job => ({
  jobId,
  userId,
  sessionId: fields.session_id,
  workflowId: fields.workflow_id,
  priority: fields.priority,
  status: 'pending',
  attempt: 0,
  revision: 1,
  eventSequence: 0,
  promptId: null,
  workerId: null,
  clientId: null,
  retryCount: 0,
  maxRetries: fields.max_retries,
  createdAt: now,
  queuedAt: now,
  assignedAt: null,
  startedAt: null,
  completedAt: null,
  updatedAt: now,
  storingSince: null,
  cancelRequestedAt: null,
  progress: null,
  earlyOutputs: [],
  outputCount: 0,
  durationMs: null,
  failure: null,
  endedByEventId: null,
  connections: [],
});

const submittedEvent = (job: Job): PipelineEvent<'Task Submitted'> => ({
  detailType: 'Task Submitted',
  detail: taskEventBase(job, 'Task Submitted'),
});

/**
 * Workflow, then queue entry, then job: a crash in between leaves at most an entry without a job, which the
 * dispatcher removes; never a job that nothing would find. The wake-up may fail: the sweep dispatches it.
 */
export const submitTask = async (
  submission: AcceptedSubmission,
  userId: string,
  dependencies: SubmitDependencies,
): Promise<SubmitTaskResponse> => {
  const { jobs, queue, workflows, publisher, clock, ids, logger } = dependencies;
  const now = new Date(clock.now()).toISOString();
  const job = newJob(ids.uuid(), userId, submission, now);
  await workflows.put(job.jobId, submission.workflowText);
  await queue.put({ jobId: job.jobId, priority: job.priority, queuedAt: now, notBefore: null });
  await jobs.create(job);
  try {
    await publisher.publish([submittedEvent(job)]);
  } catch (error) {
    logger.warn('task.wake-up-failed', { jobId: job.jobId, reason: String(error) });
  }
  return { id: job.jobId, workflow_id: job.workflowId, status: 'pending', created_at: now };
};
