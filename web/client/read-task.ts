/** An answer of the task API → what the client needs of it. */
import type { Eta, JobStatus, MissingOutput, StoredOutput } from '../../shared-types/index.ts';
import { amountOf, countOf, fieldsOf, oneOf, percentageOf, textOf } from './guards.ts';
import { readTaskMissing, readTaskOutputs } from './read-outputs.ts';
import { JOB_STATUSES } from './read-push.ts';

/** A task as `GET /api/v1/tasks/{id}` shows it, in the client's spelling. */
export interface TaskView {
  readonly id: string;
  readonly workflowId: string;
  readonly status: JobStatus;
  readonly attempt: number;
  readonly promptId: string | null;
  /** Overall percentage, 0–100. */
  readonly progress: number;
  /** Empty when nothing went wrong. */
  readonly error: string;
  readonly retryCount: number;
  readonly maxRetries: number;
  /** 1 is next; null unless it waits. */
  readonly queuePosition: number | null;
  readonly eta: Eta | null;
  readonly createdAt: string | null;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly outputs: readonly StoredOutput[];
  readonly missingOutputs: readonly MissingOutput[];
}

/** Undefined when the answer is not a task. */
export const readTask = (value: unknown): TaskView | undefined => {
  const fields = fieldsOf(value);
  const id = textOf(fields?.['id']);
  const status = oneOf(JOB_STATUSES, fields?.['status']);
  if (fields === undefined || id === undefined || status === undefined) return undefined;
  const result = fieldsOf(fields['result']);
  const etaSeconds = amountOf(fields['eta_seconds']);
  return {
    id,
    status,
    workflowId: textOf(fields['workflow_id']) ?? '',
    attempt: countOf(fields['attempt']) ?? 0,
    promptId: textOf(fields['prompt_id']) ?? null,
    progress: percentageOf(fields['progress']) ?? 0,
    error: textOf(fields['error']) ?? '',
    retryCount: countOf(fields['retry_count']) ?? 0,
    maxRetries: countOf(fields['max_retries']) ?? 0,
    queuePosition: countOf(fields['queue_position']) || null,
    eta: etaSeconds === undefined ? null : { lowSeconds: etaSeconds, highSeconds: etaSeconds },
    createdAt: textOf(fields['created_at']) ?? null,
    startedAt: textOf(fields['started_at']) ?? null,
    completedAt: textOf(fields['completed_at']) ?? null,
    outputs: readTaskOutputs(result?.['outputs']),
    missingOutputs: readTaskMissing(result?.['missing_outputs']),
  };
};
