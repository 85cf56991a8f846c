/** What is known of a job. */
import type {
  Eta,
  FailureReason,
  JobProgress,
  JobStatus,
  MissingOutput,
  NodeRecord,
  PushOf,
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

/** A picture of what is being made, as it came last. `image` is base64. */
export type JobPreview = Pick<PushOf<'job_preview'>, 'nodeId' | 'mimeType' | 'image'>;

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
  /** What each node of this attempt did, in the order in which they began. */
  readonly nodes: readonly NodeRecord[];
  /** How long it takes yet, waiting included, as of the last message; null while nobody can tell. */
  readonly eta: Eta | null;
  /** 1 is next; null unless it waits. */
  readonly queuePosition: number | null;
  /** Null where none came, and once the attempt is over. */
  readonly preview: JobPreview | null;
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
  nodes: [],
  eta: null,
  queuePosition: null,
  preview: null,
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

const UNFINISHED: readonly JobState['status'][] = ['unknown', 'pending', 'assigned', 'running'];

/** True once nothing more can happen to the job. */
export const isFinished = ({ status }: Pick<JobState, 'status'>): boolean => !UNFINISHED.includes(status);

/** A status is never left for one of a lower rank; an end, which is not in the list, has the highest. */
export const rankOf = (status: JobState['status']): number => UNFINISHED.indexOf(status) >>> 0;

/** What a person reads where the source of a state carries no message of its own. */
export const statusMessage = (status: JobStatus, outputs: number, error: string | null): string => {
  const messages: Readonly<Record<JobStatus, string>> = {
    pending: 'Waiting in the queue',
    assigned: 'Assigned',
    running: 'Running',
    completed: `Done: ${outputs} output${outputs === 1 ? '' : 's'}`,
    failed: error ?? 'Failed',
    cancelled: 'Cancelled',
  };
  return messages[status];
};
