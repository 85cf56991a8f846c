/** What is known of a job. */
import type {
  FailureReason,
  JobProgress,
  JobStatus,
  MissingOutput,
  StoredOutput,
} from '../../shared-types/index.ts';

export interface JobFailure {
  readonly message: string;
  /** Null where the source tells no reason (a snapshot, the task API). */
  readonly reason: FailureReason | null;
  readonly nodeId: string | null;
  readonly nodeName: string | null;
  readonly nodeType: string | null;
}

export interface JobRetry {
  readonly nextAttempt: number;
  readonly maxRetries: number;
  /** Null when the announcement itself was missed. */
  readonly delaySeconds: number | null;
}

export interface JobState {
  readonly jobId: string;
  readonly promptId: string | null;
  readonly workflowId: string | null;
  /** `unknown` before the first message; `notFound` when the server knows no such job of this user. */
  readonly status: JobStatus | 'unknown' | 'notFound';
  readonly attempt: number;
  /** Of the last push taken; -1 before the first. */
  readonly sequence: number;
  /** Overall, 0–100. Never falls while `attempt` stays and the job is not sent back to the queue. */
  readonly percentage: number;
  readonly progress: JobProgress | null;
  readonly totalNodes: number;
  readonly cachedNodes: number;
  readonly message: string;
  readonly outputs: readonly StoredOutput[];
  readonly missingOutputs: readonly MissingOutput[];
  /** The list of outputs was cut to fit a message; the task API has it whole. */
  readonly outputsTruncated: boolean;
  readonly failure: JobFailure | null;
  readonly retry: JobRetry | null;
  readonly createdAt: string | null;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly durationMs: number | null;
}

export const initialJobState = (jobId: string): JobState => ({
  jobId,
  promptId: null,
  workflowId: null,
  status: 'unknown',
  attempt: 0,
  sequence: -1,
  percentage: 0,
  progress: null,
  totalNodes: 0,
  cachedNodes: 0,
  message: '',
  outputs: [],
  missingOutputs: [],
  outputsTruncated: false,
  failure: null,
  retry: null,
  createdAt: null,
  startedAt: null,
  completedAt: null,
  durationMs: null,
});

/** True once nothing more can happen to the job. */
export const isFinished = ({ status }: JobState): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled' || status === 'notFound';

/** What a person reads where the source of a state carries no message of its own. */
export const statusMessage = (status: JobStatus, outputs: number, error: string | null): string => {
  const messages: Readonly<Record<JobStatus, string>> = {
    pending: 'Waiting in the queue',
    assigned: 'Assigned to a worker',
    running: 'Running',
    completed: `Done: ${outputs} output${outputs === 1 ? '' : 's'}`,
    failed: error ?? 'Failed',
    cancelled: 'Cancelled',
  };
  return messages[status];
};
