/** How a message changes what is known of a job. Pure: same state and message, same answer. */
import type { Eta, FailureReason, JobPush, PushMessage, PushOf } from '../../shared-types/index.ts';
import {
  initialJobState,
  isFinished,
  statusMessage,
  type JobFailure,
  type JobRetry,
  type JobState,
} from './job-model.ts';
import { mergeNodes } from './node-records.ts';
import type { TaskView } from './read-task.ts';

type Addition = PushOf<'job_nodes' | 'job_preview'>;

/** It carries the number of the state that it adds to, and takes no number of its own. */
const isAddition = (push: JobPush): push is Addition =>
  push.type === 'job_nodes' || push.type === 'job_preview';

/**
 * A push was lost before this one: its number is more than one above the last, or it adds to an attempt that was not
 * heard of. What adds to the very next state may only have overtaken it.
 */
export const leavesGap = (state: JobState, push: PushMessage): boolean => {
  if (push.type === 'error' || push.type === 'pong' || push.type === 'job_snapshot') return false;
  return push.sequence > state.sequence + 1 || (isAddition(push) && push.attempt > state.attempt);
};

const RANKS: Readonly<Record<JobState['status'], number>> = {
  unknown: 0,
  pending: 1,
  assigned: 2,
  running: 3,
  completed: 4,
  failed: 4,
  cancelled: 4,
  notFound: 4,
};

interface FailureSource {
  readonly message: string;
  readonly reason?: FailureReason;
  readonly nodeId?: string | undefined;
  readonly nodeName?: string | undefined;
  readonly nodeType?: string | undefined;
}

const failureOf = (failure: FailureSource): JobFailure => ({
  message: failure.message,
  reason: failure.reason ?? null,
  nodeId: failure.nodeId ?? null,
  nodeName: failure.nodeName ?? null,
  nodeType: failure.nodeType ?? null,
});

/** What a new attempt starts from: nothing of the one before it stays on screen. */
const freshAttempt = (state: JobState, attempt: number): JobState =>
  attempt === state.attempt
    ? state
    : { ...initialJobState(state.jobId), workflowId: state.workflowId, createdAt: state.createdAt, attempt };

/** Where a source says "queued" of an attempt that already ran, its retry was announced and missed. */
const retryOf = (state: JobState, retryCount: number, attempt: number, maxRetries: number): JobRetry | null =>
  state.retry ?? (retryCount > 0 ? { nextAttempt: attempt + 1, maxRetries, delaySeconds: null } : null);

type Source = Pick<
  TaskView,
  | 'status'
  | 'attempt'
  | 'promptId'
  | 'retryCount'
  | 'maxRetries'
  | 'createdAt'
  | 'startedAt'
  | 'completedAt'
  | 'outputs'
> & {
  readonly workflowId: string;
  readonly error: string | null;
  /** Overall percentage, or null where unknown. */
  readonly percentage: number | null;
  readonly queuePosition: number | null;
  readonly eta: Eta | null;
};

/** The part that a snapshot and an answer of the task API have in common. */
const replaced = (before: JobState, source: Source): JobState => {
  const state = freshAttempt(before, source.attempt);
  const { status, error } = source;
  const queued = status === 'pending';
  const heldBack = Math.max(state.percentage, source.percentage ?? 0);
  return {
    ...state,
    status,
    promptId: source.promptId,
    workflowId: source.workflowId,
    percentage: status === 'completed' ? 100 : queued ? 0 : heldBack,
    progress: queued ? null : state.progress,
    outputs: source.outputs,
    failure: status === 'failed' ? (state.failure ?? failureOf({ message: error ?? 'Failed' })) : null,
    retry: queued ? retryOf(state, source.retryCount, source.attempt, source.maxRetries) : null,
    message: statusMessage(status, source.outputs.length, error),
    eta: source.eta,
    queuePosition: queued ? source.queuePosition : null,
    createdAt: source.createdAt,
    startedAt: source.startedAt,
    completedAt: source.completedAt,
  };
};

const applySnapshot = (before: JobState, push: PushOf<'job_snapshot'>): JobState => {
  const percentage = push.progress?.overallPercentage ?? null;
  const eta = push.eta ?? push.progress?.eta ?? null;
  const source = { ...push, percentage, eta, queuePosition: push.queuePosition ?? null };
  const next = replaced(before, source);
  const state = { ...next, nodes: mergeNodes(next.nodes, push.nodes ?? []), sequence: push.sequence };
  const outputsTruncated = push['outputsTruncated'] === true;
  if (push.progress === null || push.status === 'pending') return { ...state, outputsTruncated };
  const { totalNodes, cachedNodes, message } = push.progress;
  const shown = push.status === 'running' && message !== '' ? message : state.message;
  return { ...state, outputsTruncated, progress: push.progress, totalNodes, cachedNodes, message: shown };
};

const applyProgress = (state: JobState, push: PushOf<'job_progress'>): JobState => ({
  ...state,
  status: 'running',
  progress: push,
  percentage: Math.max(state.percentage, push.overallPercentage),
  totalNodes: push.totalNodes,
  cachedNodes: push.cachedNodes,
  message: push.message,
  outputs: push.outputs ?? state.outputs,
  eta: push.eta ?? null,
  failure: null,
  retry: null,
});

const applyCompleted = (state: JobState, push: PushOf<'job_completed'>): JobState => ({
  ...state,
  status: 'completed',
  percentage: 100,
  message: push.message,
  outputs: push.outputs,
  missingOutputs: push.missingOutputs,
  outputsTruncated: push.outputsTruncated === true,
  durationMs: push.durationMs,
  failure: null,
  retry: null,
  completedAt: push.timestamp,
});

const applyRetrying = (state: JobState, push: PushOf<'job_retrying'>): JobState => ({
  ...state,
  status: 'pending',
  percentage: 0,
  progress: null,
  message: push.message,
  outputs: [],
  eta: null,
  failure: null,
  retry: { nextAttempt: push.nextAttempt, maxRetries: push.maxRetries, delaySeconds: push.delaySeconds },
});

/** No estimate, place or picture outlives the run that it is about. */
const NOT_RUNNING = { eta: null, queuePosition: null, preview: null } as const;
const settled = (state: JobState): JobState =>
  state.status === 'running' ? state : { ...state, preview: null, ...(isFinished(state) ? NOT_RUNNING : {}) };

const applyJobPush = (before: JobState, push: Exclude<JobPush, Addition>): JobState => {
  if (push.type === 'job_snapshot') return applySnapshot(before, push);
  const { sequence, promptId, timestamp } = push;
  const state = { ...freshAttempt(before, push.attempt), sequence, promptId, queuePosition: null };
  switch (push.type) {
    case 'job_started': {
      const { message, totalNodes, cachedNodes } = push;
      return {
        ...state,
        status: 'running',
        message,
        totalNodes,
        cachedNodes,
        startedAt: timestamp,
        retry: null,
      };
    }
    case 'job_progress':
      return applyProgress(state, push);
    case 'job_completed':
      return applyCompleted(state, push);
    case 'job_retrying':
      return applyRetrying(state, push);
    case 'job_failed': {
      const { message } = push;
      return {
        ...state,
        status: 'failed',
        failure: failureOf(push),
        message,
        retry: null,
        completedAt: timestamp,
      };
    }
    case 'job_cancelled':
      return { ...state, status: 'cancelled', message: push.message, retry: null, completedAt: timestamp };
    default:
      return push satisfies never;
  }
};

/** Nodes may come late and even after the end: each is merged by its own time. A picture is only of the last state. */
const applyAddition = (state: JobState, push: Addition): JobState => {
  if (push.attempt !== state.attempt) return state;
  if (push.type === 'job_nodes') {
    const nodes = mergeNodes(state.nodes, push.nodes);
    return nodes === state.nodes ? state : { ...state, nodes };
  }
  if (state.status !== 'running' || push.sequence < state.sequence) return state;
  const { nodeId, mimeType, image } = push;
  return { ...state, preview: { nodeId, mimeType, image } };
};

/** The end stays as it is; only a longer list of its outputs may still come. */
const applyAfterEnd = (state: JobState, push: Exclude<JobPush, Addition>): JobState => {
  const same = push.type === 'job_snapshot' && push.status === state.status && push.attempt === state.attempt;
  return same && push.outputs.length > state.outputs.length
    ? { ...state, outputs: push.outputs, sequence: push.sequence }
    : state;
};

/**
 * The state after a push; the very same object when the push changes nothing: it is of another job, older than
 * what is known, or comes after the end.
 */
export const reduceJob = (state: JobState, push: PushMessage): JobState => {
  if (push.type === 'pong' || push.jobId !== state.jobId) return state;
  if (push.type === 'error') {
    if (push.code !== 'notFound' || isFinished(state)) return state;
    return {
      ...state,
      status: 'notFound',
      message: push.message,
      failure: failureOf({ message: push.message }),
      ...NOT_RUNNING,
    };
  }
  if (isAddition(push)) return applyAddition(state, push);
  const old = push.type === 'job_snapshot' ? push.sequence < state.sequence : push.sequence <= state.sequence;
  if (old) return state;
  if (isFinished(state)) return applyAfterEnd(state, push);
  // An attempt that was given up says nothing any more, but its number has been used.
  return push.attempt < state.attempt
    ? { ...state, sequence: push.sequence }
    : settled(applyJobPush(state, push));
};

/** The task API shows no sequence, so its answer may only move the state forward. */
export const applyTask = (state: JobState, task: TaskView): JobState => {
  if (task.id !== state.jobId || task.attempt < state.attempt) return state;
  if (isFinished(state)) {
    const longer = task.status === state.status && task.outputs.length >= state.outputs.length;
    if (!longer) return state;
    const { outputs, missingOutputs } = task;
    return { ...state, outputs, missingOutputs, outputsTruncated: false };
  }
  if (task.attempt === state.attempt && RANKS[task.status] < RANKS[state.status]) return state;
  const source = { ...task, error: task.error === '' ? null : task.error, percentage: task.progress };
  const next = {
    ...settled(replaced(state, source)),
    missingOutputs: task.missingOutputs,
    outputsTruncated: false,
  };
  const keepsMessage = next.attempt === state.attempt && next.status === state.status && state.message !== '';
  return keepsMessage ? { ...next, message: state.message } : next;
};
