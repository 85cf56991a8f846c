/** A job as the task API shows it: seed 001's Task object, snake_case. */
import type { MissingOutput, StoredOutput, Task } from '../../shared-types/index.ts';
import type { Job, JobOutputs } from './job.ts';

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

const resultView = ({ outputs, missingOutputs }: JobOutputs): NonNullable<Task['result']> => ({
  src: outputs[0]?.src ?? null,
  mime_type: outputs[0]?.mimeType ?? null,
  outputs: outputs.map(outputView),
  missing_outputs: missingOutputs.map(missingView),
});

/** Everything but `payload`, which is kept as text. `outputs` is undefined before the end. */
export const taskViewOf = (job: Job, outputs: JobOutputs | undefined): Omit<Task, 'payload'> => ({
  id: job.jobId,
  workflow_id: job.workflowId,
  priority: job.priority,
  status: job.status,
  worker_id: job.workerId ?? '',
  created_at: job.createdAt,
  started_at: job.startedAt,
  completed_at: job.completedAt,
  result: outputs === undefined ? null : resultView(outputs),
  error: job.failure?.message ?? '',
  retry_count: job.retryCount,
  max_retries: job.maxRetries,
  session_id: job.sessionId,
  prompt_id: job.promptId,
  attempt: job.attempt,
  progress: job.status === 'completed' ? 100 : (job.progress?.overallPercentage ?? 0),
});
