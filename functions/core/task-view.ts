/** A job as the task API shows it: seed 001's Task object, snake_case. */
import type { MissingOutput, StoredOutput, Task, TaskSummary } from '../../shared-types/index.ts';
import { distinctOutputs } from './job-outputs.ts';
import { isTerminal, type EndedAttempt, type Job, type JobOutputs } from './job.ts';
import type { TaskOutlook } from './task-outlook.ts';

const outputView = (output: StoredOutput) => ({
  output_id: output.outputId,
  node_id: output.nodeId,
  output_key: output.outputKey,
  index: output.index,
  kind: output.kind,
  src: output.src,
  mime_type: output.mimeType,
  size: output.size,
  filename: output.filename,
});

const missingView = (output: MissingOutput) => ({
  node_id: output.nodeId,
  output_key: output.outputKey,
  index: output.index,
  filename: output.filename,
  error: output.error,
});

/** The outputs of an ended task, and those that could not be stored. */
export const taskResultOf = ({ outputs, missingOutputs }: JobOutputs): NonNullable<Task['result']> => ({
  src: outputs[0]?.src ?? null,
  mime_type: outputs[0]?.mimeType ?? null,
  outputs: outputs.map(outputView),
  missing_outputs: missingOutputs.map(missingView),
});

type AttemptView = Task['attempts'][number];

const endedView = (ended: EndedAttempt): AttemptView => ({
  attempt: ended.attempt,
  status: ended.outcome,
  worker_id: ended.workerId ?? '',
  prompt_id: ended.promptId,
  assigned_at: ended.assignedAt,
  started_at: ended.startedAt,
  ended_at: ended.endedAt,
  error: ended.failure?.message ?? '',
  reason: ended.failure?.reason ?? null,
  node_id: ended.failure?.nodeId ?? null,
});

/** The attempt that a worker has, or with which the job ended, where it is not among the ended ones. */
const lastAttempt = (job: Job): AttemptView[] => {
  const { status, attempt, workerId, attempts } = job;
  if (status === 'pending' || workerId === null || attempts.some((ended) => ended.attempt === attempt)) {
    return [];
  }
  const failure = isTerminal(status) ? job.failure : null;
  return [
    {
      attempt,
      status,
      worker_id: workerId,
      prompt_id: job.promptId,
      assigned_at: job.assignedAt,
      started_at: job.startedAt,
      ended_at: job.completedAt,
      error: failure?.message ?? '',
      reason: failure?.reason ?? null,
      node_id: failure?.nodeId ?? null,
    },
  ];
};

export const taskSummaryOf = (job: Job): TaskSummary => ({
  id: job.jobId,
  workflow_id: job.workflowId,
  priority: job.priority,
  status: job.status,
  worker_id: job.workerId ?? '',
  created_at: job.createdAt,
  started_at: job.startedAt,
  completed_at: job.completedAt,
  error: job.failure?.message ?? '',
  retry_count: job.retryCount,
  max_retries: job.maxRetries,
  session_id: job.sessionId,
  prompt_id: job.promptId,
  attempt: job.attempt,
  progress: job.status === 'completed' ? 100 : (job.progress?.overallPercentage ?? 0),
  timeout_seconds: job.timeoutSeconds,
  tags: [...job.needs.tags],
  cancel_requested: job.cancelRequestedAt !== null,
  retry_of: job.retryOf,
  callback_url: job.callbackUrl,
});

/** Everything but `payload`, which is kept as text. `outputs` is undefined before the end: early ones are the job's. */
export const taskViewOf = (
  job: Job,
  outputs: JobOutputs | undefined,
  outlook: TaskOutlook,
): Omit<Task, 'payload'> => ({
  ...taskSummaryOf(job),
  result: outputs === undefined ? null : taskResultOf(outputs),
  outputs: (outputs?.outputs ?? distinctOutputs(job.earlyOutputs)).map(outputView),
  queue_position: outlook.queuePosition,
  eta_seconds: outlook.etaSeconds,
  waiting_for: outlook.waitingFor ?? null,
  attempts: [...job.attempts.map(endedView), ...lastAttempt(job)],
});
