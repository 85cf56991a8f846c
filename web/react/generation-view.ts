/** What a page shows of a generation, made of what is known of its job. Pure. */
import type { Eta, FailureReason, NodeRecord, RunningNode, StoredOutput } from '../../shared-types/index.ts';
import type { Connection } from '../client/client-contract.ts';
import type { JobPreview, JobState } from '../client/job-model.ts';
import type { TaskSubmission } from '../client/task-api.ts';

export type GenerationStatus =
  | 'idle'
  | 'submitting'
  /** Taken up again, and nothing heard of it yet: its percentage is not 0 but unknown. */
  | 'resuming'
  | 'pending'
  | 'assigned'
  | 'running'
  /** The same again after a failure, or something else instead (`onFailure`). */
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface GenerationError {
  readonly message: string;
  /** The node that failed, where one did. */
  readonly nodeName: string | null;
  readonly nodeType: string | null;
  readonly nodeId: string | null;
  /** Null where nobody told. A later server may know more of them. */
  readonly reason: FailureReason | null;
}

export interface GenerationProgress {
  /** Overall, 0–100, never falling within an attempt. */
  readonly percentage: number;
  /** Of the current node. */
  readonly step: number;
  /** 0 while no node counts steps. */
  readonly steps: number;
  readonly completedNodes: number;
  readonly cachedNodes: number;
  /** 0 while unknown. */
  readonly totalNodes: number;
}

/** A try that did not succeed, and where it stood when it ended. */
export interface FailedTry {
  /** Counts the tries of this generation from 1, over attempts and submissions. */
  readonly number: number;
  readonly message: string;
  readonly percentage: number;
  /** Empty where no node was at work. */
  readonly nodeName: string;
  readonly step: number;
  /** 0 where the node counts no steps. */
  readonly steps: number;
  /** What is different in the next try, in words; empty when it is the same again. */
  readonly change: string;
  /** The same as a sentence, with what was before; empty where the policy has none. */
  readonly note: string;
}

export interface GenerationView {
  readonly status: GenerationStatus;
  readonly progress: GenerationProgress;
  /** Name of the node at work; empty when there is none. */
  readonly currentNode: string;
  /** `executing` or `finished`; empty when there is none. */
  readonly nodeState: string;
  /** All nodes at work now, the one that matters most first. */
  readonly runningNodes: readonly RunningNode[];
  /** What each node of this attempt did, in the order in which they began. */
  readonly nodes: readonly NodeRecord[];
  readonly message: string;
  /** How long it takes yet, in seconds; null while nobody can tell. */
  readonly eta: Eta | null;
  /** 1 is next; null unless it waits. */
  readonly queuePosition: number | null;
  readonly preview: JobPreview | null;
  /** All outputs, pictures or not. */
  readonly images: readonly StoredOutput[];
  /** File names of outputs that could not be stored. */
  readonly missing: readonly string[];
  readonly error: GenerationError | null;
  /** Tries before this one, oldest first. Those before a refresh of the page are not known any more. */
  readonly retries: readonly FailedTry[];
  /** Milliseconds that ComfyUI took for it; null before its end, and where nobody told. */
  readonly durationMs: number | null;
  /** It was asked to stop and has not yet. */
  readonly cancelling: boolean;
  readonly connection: Connection;
  readonly jobId: string | null;
}

/**
 * What is submitted instead. `change` says in words what is different, `note` why and what in a whole sentence; both are
 * only shown.
 */
export type NextTry = TaskSubmission & { readonly change?: string; readonly note?: string };

/**
 * Asked when a job whose submission is known has failed for good. `tries` counts submissions from 1, `submission` is
 * the one that failed. Undefined leaves it failed.
 */
export type FailurePolicy = (
  error: GenerationError,
  tries: number,
  submission: TaskSubmission,
) => NextTry | undefined;

const NO_PROGRESS: GenerationProgress = {
  percentage: 0,
  step: 0,
  steps: 0,
  completedNodes: 0,
  cachedNodes: 0,
  totalNodes: 0,
};

export const IDLE: GenerationView = {
  status: 'idle',
  progress: NO_PROGRESS,
  currentNode: '',
  nodeState: '',
  runningNodes: [],
  nodes: [],
  message: '',
  eta: null,
  queuePosition: null,
  preview: null,
  images: [],
  missing: [],
  error: null,
  retries: [],
  durationMs: null,
  cancelling: false,
  connection: 'idle',
  jobId: null,
};

/** True while something is still to come. */
export const isBusy = (status: GenerationStatus): boolean =>
  status !== 'idle' && status !== 'completed' && status !== 'failed' && status !== 'cancelled';

const statusOf = ({ status, retry }: JobState, before: GenerationStatus): GenerationStatus => {
  if (status === 'notFound') return 'failed';
  if (status === 'unknown') return before === 'resuming' ? before : 'pending';
  return status === 'pending' && retry !== null ? 'retrying' : status;
};

/** A node that counts no steps reports 1 of 1: nothing worth showing. */
export const stepsOf = (
  node: Pick<RunningNode, 'nodeProgress' | 'nodeMaxProgress'> | null,
): Pick<GenerationProgress, 'step' | 'steps'> =>
  node !== null && node.nodeMaxProgress > 1
    ? { step: node.nodeProgress, steps: node.nodeMaxProgress }
    : { step: 0, steps: 0 };

const progressOf = ({
  percentage,
  progress,
  totalNodes,
  cachedNodes,
  status,
}: JobState): GenerationProgress => ({
  percentage,
  totalNodes,
  cachedNodes,
  ...stepsOf(status === 'running' ? progress : null),
  completedNodes: status === 'completed' ? totalNodes : (progress?.completedNodes ?? 0),
});

const runningNodesOf = ({ progress, status }: JobState): readonly RunningNode[] => {
  if (progress === null || status !== 'running') return [];
  const others = progress.runningNodes.filter(({ nodeId }) => nodeId !== progress.nodeId);
  return progress.nodeState === 'finished' && others.length > 0 ? others : [progress, ...others];
};

const messageOf = ({ message, retry, status }: JobState): string => {
  if (status === 'unknown') return 'Waiting for news of the job';
  if (retry === null) return message;
  const wait = retry.delaySeconds === null ? '' : ` in ${Math.ceil(retry.delaySeconds)} s`;
  return `${message} Trying again${wait} (attempt ${retry.nextAttempt} of ${retry.maxRetries + 1})`.trim();
};

export const viewOf = (job: JobState, before: GenerationView): GenerationView => {
  const runningNodes = runningNodesOf(job);
  const [main] = runningNodes;
  const status = statusOf(job, before.status);
  return {
    ...before,
    status,
    progress: progressOf(job),
    currentNode: main?.nodeName ?? '',
    nodeState: main?.nodeState ?? '',
    runningNodes,
    nodes: job.nodes,
    message: messageOf(job),
    eta: job.eta,
    queuePosition: job.queuePosition,
    preview: job.preview,
    images: job.outputs,
    missing: job.missingOutputs.map(({ filename }) => filename),
    error: job.failure,
    durationMs: job.durationMs,
    cancelling: before.cancelling && isBusy(status),
    jobId: job.jobId,
  };
};

/** The view of a generation that the task API did not take. */
export const refusedView = (error: unknown, before: GenerationView): GenerationView => {
  const message = error instanceof Error ? error.message : String(error);
  const { connection, retries } = before;
  const failure = { message, nodeName: null, nodeType: null, nodeId: null, reason: null };
  return {
    ...IDLE,
    status: 'failed',
    message: 'The task was not accepted',
    error: failure,
    retries,
    connection,
  };
};

/** Where a generation stood, for the list of its tries. */
export const failedTryOf = (
  view: GenerationView,
  message: string,
  { change = '', note = '' }: Pick<NextTry, 'change' | 'note'> = {},
): FailedTry => {
  const { percentage, step, steps } = view.progress;
  const nodeName = view.error?.nodeName ?? view.currentNode;
  return { number: view.retries.length + 1, message, percentage, nodeName, step, steps, change, note };
};
