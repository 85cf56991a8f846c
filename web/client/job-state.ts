/** How a message changes what is known of a job. Pure: same state and message, same answer. */
import type { JobPush, NodeRecord, PushMessage, PushOf } from '../../shared-types/index.ts';
import {
  initialJobState,
  isFinished,
  rankOf,
  statusMessage,
  type JobFailure,
  type JobRetry,
  type JobState,
} from './job-model.ts';
import { mergeNodes } from './node-records.ts';
import type { TaskView } from './read-task.ts';

type Addition = PushOf<'job_nodes' | 'job_preview'>;
type StatePush = Exclude<JobPush, Addition>;

/** It carries the number of the state that it adds to, and takes no number of its own. */
const isAddition = (push: JobPush): push is Addition =>
  push.type === 'job_nodes' || push.type === 'job_preview';

/**
 * A push was lost before this one: its number is more than one above the last, or it adds to an attempt that was not
 * heard of. What adds to the very next state may only have overtaken it.
 */
export const leavesGap = (state: JobState, push: JobPush): boolean =>
  push.type !== 'job_snapshot' &&
  (push.sequence > state.sequence + 1 || (isAddition(push) && push.attempt > state.attempt));

type FailureSource = Pick<JobFailure, 'message'> & {
  readonly [K in Exclude<keyof JobFailure, 'message'>]?: JobFailure[K] | undefined;
};

const failureOf = ({
  message,
  reason = null,
  nodeId = null,
  nodeName = null,
  nodeType = null,
}: FailureSource): JobFailure => ({ message, reason, nodeId, nodeName, nodeType });

/** What a new attempt starts from: nothing of the one before it stays on screen. */
const freshAttempt = (state: JobState, attempt: number): JobState =>
  attempt === state.attempt
    ? state
    : { ...initialJobState(state.jobId), workflowId: state.workflowId, createdAt: state.createdAt, attempt };

/** No picture outlives the run that it is of, no estimate the job. */
const settled = (state: JobState): JobState => ({
  ...state,
  preview: state.status === 'running' ? state.preview : null,
  eta: isFinished(state) ? null : state.eta,
});

/** Where a source says "queued" of an attempt that already ran, its retry was announced and missed. */
const retryOf = (
  state: JobState,
  attempt: number,
  { retryCount, maxRetries }: Pick<TaskView, 'retryCount' | 'maxRetries'>,
): JobRetry | null =>
  state.retry ?? (retryCount > 0 ? { nextAttempt: attempt + 1, maxRetries, delaySeconds: null } : null);

/** What a snapshot and an answer of the task API have in common, under the names of the state. */
type Said = Pick<
  JobState,
  | 'promptId'
  | 'workflowId'
  | 'attempt'
  | 'outputs'
  | 'eta'
  | 'queuePosition'
  | 'createdAt'
  | 'startedAt'
  | 'completedAt'
> &
  Pick<TaskView, 'status'>;
type Told = Pick<TaskView, 'retryCount' | 'maxRetries'> & {
  readonly error: string | null;
  /** Overall percentage. */
  readonly percentage: number;
  readonly failure?: Omit<FailureSource, 'message'> | undefined;
};

const replaced = (before: JobState, said: Said, told: Told): JobState => {
  const state = freshAttempt(before, said.attempt);
  const { status } = said;
  const queued = status === 'pending';
  const message = statusMessage(status, said.outputs.length, told.error);
  return settled({
    ...state,
    ...said,
    percentage: status === 'completed' ? 100 : queued ? 0 : Math.max(state.percentage, told.percentage),
    progress: queued ? null : state.progress,
    failure: status === 'failed' ? (state.failure ?? failureOf({ ...told.failure, message })) : null,
    retry: queued ? retryOf(state, said.attempt, told) : null,
    queuePosition: queued ? said.queuePosition : null,
    message,
  });
};

/** The very same state where they say nothing new. */
const withNodes = (state: JobState, said: readonly NodeRecord[] = []): JobState => {
  const nodes = mergeNodes(state.nodes, said);
  return nodes === state.nodes ? state : { ...state, nodes };
};

const applySnapshot = (before: JobState, push: PushOf<'job_snapshot'>): JobState => {
  const {
    type: _type,
    timestamp: _timestamp,
    error,
    retryCount,
    maxRetries,
    nodes,
    progress,
    failure,
    ...said
  } = push;
  const told = { error, retryCount, maxRetries, failure, percentage: progress?.overallPercentage ?? 0 };
  const queuePosition = push.queuePosition ?? null;
  const eta = push.eta ?? progress?.eta ?? null;
  const state = replaced(before, { ...said, queuePosition, eta }, told);
  const outputsTruncated = push['outputsTruncated'] === true;
  const next = withNodes({ ...state, outputsTruncated }, nodes);
  if (progress === null || state.status === 'pending') return next;
  const { totalNodes, cachedNodes } = progress;
  const message = (state.status === 'running' && progress.message) || state.message;
  return { ...next, progress, totalNodes, cachedNodes, message };
};

/** What a push about the state says, beside what they all say. */
const saidBy = (
  state: JobState,
  push: Exclude<StatePush, { type: 'job_snapshot' }>,
): Partial<JobState> & Pick<JobState, 'status'> => {
  const { timestamp } = push;
  switch (push.type) {
    case 'job_started': {
      const { totalNodes, cachedNodes } = push;
      return { status: 'running', totalNodes, cachedNodes, startedAt: timestamp };
    }
    case 'job_progress': {
      const { totalNodes, cachedNodes, outputs = state.outputs, eta = null } = push;
      const percentage = Math.max(state.percentage, push.overallPercentage);
      return { status: 'running', totalNodes, cachedNodes, outputs, percentage, eta, progress: push };
    }
    case 'job_completed': {
      const { outputs, missingOutputs, durationMs, outputsTruncated = false } = push;
      return {
        status: 'completed',
        percentage: 100,
        outputs,
        missingOutputs,
        outputsTruncated,
        durationMs,
        completedAt: timestamp,
      };
    }
    case 'job_retrying': {
      const { nextAttempt, maxRetries, delaySeconds } = push;
      const retry = { nextAttempt, maxRetries, delaySeconds };
      return { status: 'pending', percentage: 0, progress: null, outputs: [], eta: null, retry };
    }
    case 'job_failed':
      return { status: 'failed', failure: failureOf(push), completedAt: timestamp };
    case 'job_cancelled':
      return { status: 'cancelled', completedAt: timestamp };
    default:
      return push satisfies never;
  }
};

const applyStatePush = (before: JobState, push: StatePush): JobState => {
  if (push.type === 'job_snapshot') return applySnapshot(before, push);
  const { sequence, promptId, message } = push;
  const state = freshAttempt(before, push.attempt);
  return settled({
    ...state,
    sequence,
    promptId,
    message,
    retry: null,
    failure: null,
    queuePosition: null,
    ...saidBy(state, push),
  });
};

/** Nodes may come late and even after the end: each is merged by its own time. A picture is only of the last state. */
const applyAddition = (state: JobState, push: Addition): JobState => {
  if (push.attempt !== state.attempt) return state;
  if (push.type === 'job_nodes') return withNodes(state, push.nodes);
  if (state.status !== 'running' || push.sequence < state.sequence) return state;
  const { nodeId, mimeType, image } = push;
  return { ...state, preview: { nodeId, mimeType, image } };
};

/** The end stays as it is; only a longer list of its outputs, or what nodes did before it, may still come. */
const applyAfterEnd = (state: JobState, push: StatePush): JobState => {
  if (push.type !== 'job_snapshot' || push.status !== state.status || push.attempt !== state.attempt)
    return state;
  const { outputs, sequence, nodes } = push;
  return withNodes(outputs.length > state.outputs.length ? { ...state, outputs, sequence } : state, nodes);
};

/**
 * The state after a push; the very same object when the push changes nothing: it is of another job, older than
 * what is known, or comes after the end.
 */
export const reduceJob = (state: JobState, push: PushMessage): JobState => {
  if (push.type === 'pong' || push.jobId !== state.jobId) return state;
  if (push.type === 'error') {
    if (push.code !== 'notFound' || isFinished(state)) return state;
    const { message } = push;
    return settled({ ...state, status: 'notFound', message, failure: failureOf({ message }) });
  }
  if (isAddition(push)) return applyAddition(state, push);
  const { type, sequence } = push;
  if (type === 'job_snapshot' ? sequence < state.sequence : sequence <= state.sequence) return state;
  if (isFinished(state)) return applyAfterEnd(state, push);
  // An attempt that was given up says nothing any more, but its number has been used.
  return push.attempt < state.attempt ? { ...state, sequence } : applyStatePush(state, push);
};

/** The task API shows no sequence, so its answer may only move the state forward. */
export const applyTask = (state: JobState, task: TaskView): JobState => {
  const { id, error, retryCount, maxRetries, progress, ...said } = task;
  if (id !== state.jobId || task.attempt < state.attempt) return state;
  const { outputs, missingOutputs } = said;
  if (isFinished(state)) {
    const longer = task.status === state.status && outputs.length >= state.outputs.length;
    return longer ? { ...state, outputs, missingOutputs, outputsTruncated: false } : state;
  }
  const newer = task.attempt > state.attempt;
  if (!newer && rankOf(task.status) < rankOf(state.status)) return state;
  const next = replaced(state, said, {
    error: error || null,
    retryCount,
    maxRetries,
    percentage: progress,
  });
  const message = (!newer && next.status === state.status && state.message) || next.message;
  return { ...next, outputsTruncated: false, message };
};
