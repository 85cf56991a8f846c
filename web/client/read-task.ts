/** An answer of the task API → what the client needs of it. */
import type { Eta, JobStatus, MissingOutput, StoredOutput } from '../../shared-types/index.ts';
import {
  amountOf,
  countOrZero,
  fieldsOf,
  objectOf,
  or,
  percentageOf,
  snakeCase,
  textOrEmpty,
  textOf,
  textOrNull,
} from './guards.ts';
import { readTaskMissing, readTaskOutputs } from './read-outputs.ts';
import { jobStatus, placeOf } from './read-push.ts';

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

const result = (fields: { readonly result?: unknown } | undefined) => fieldsOf(fields?.result);

/** Undefined when the answer is not a task. */
export const readTask = objectOf<TaskView>(
  {
    id: textOf,
    workflowId: textOrEmpty,
    status: jobStatus,
    attempt: countOrZero,
    promptId: textOrNull,
    progress: or(percentageOf, 0),
    error: textOrEmpty,
    retryCount: countOrZero,
    maxRetries: countOrZero,
    queuePosition: placeOf,
    eta: (_value, fields) => {
      const seconds = amountOf(fields?.['eta_seconds']);
      return seconds === undefined ? null : { lowSeconds: seconds, highSeconds: seconds };
    },
    createdAt: textOrNull,
    startedAt: textOrNull,
    completedAt: textOrNull,
    outputs: (_value, fields) => readTaskOutputs(result(fields)?.['outputs']),
    missingOutputs: (_value, fields) => readTaskMissing(result(fields)?.['missing_outputs']),
  },
  snakeCase,
);
