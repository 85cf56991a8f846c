/** What a frame of the socket changes. Frames are hints: the history has the last word on how a job ended. */
import {
  outputsOfNode,
  progressNodeSchema,
  type ExecutionErrorData,
  type Frame,
} from '../../shared-types/index.ts';
import type { Claim, Job } from './job.ts';
import { applyProgressNode, cacheNodes, finishNode, startNode, stepNode } from './job-nodes.ts';
import { LIMITS } from './monitor-state.ts';
import type { BinaryFrame } from './monitor-input.ts';
import { onlyRunningPrompt } from './own-jobs.ts';
import { addJob, draftJob, noteUnseenEnd, wantHistory, wantQueue, type Turn } from './turn.ts';

/** Frames that ComfyUI sends only to the client whose prompt it is; the others are broadcast in some cases. */
const PERSONAL = new Set([
  'execution_start',
  'execution_cached',
  'executing',
  'executed',
  'execution_success',
]);

const isUsableId = (promptId: string): boolean => promptId !== '' && promptId.length <= LIMITS.promptIdLength;

/** The open job that a frame is about, opened on first sight; undefined (and counted) where there is none. */
const jobOfFrame = (turn: Turn, promptId: string, type: Frame['type']): Job | undefined => {
  if (!isUsableId(promptId)) {
    turn.counts.push('framesOfInvalidPromptId');
    return undefined;
  }
  const personal = PERSONAL.has(type);
  if (!personal && turn.state.foreign.has(promptId)) {
    turn.counts.push('foreignPrompts');
    return undefined;
  }
  const known = turn.state.jobs.get(promptId);
  if (known?.phase.kind === 'closed' || turn.state.finished.has(promptId)) {
    turn.counts.push('framesOfClosedJobs');
    return undefined;
  }
  const job = draftJob(turn, promptId) ?? addJob(turn, promptId, personal ? 'ours' : 'unknown');
  if (personal) job.ownership = 'ours';
  if (job.identity === undefined) wantQueue(turn, LIMITS.queueSpacingMs);
  job.aliveAt = turn.now;
  job.frameAt = turn.now;
  return job;
};

const begin = (turn: Turn, job: Job): void => {
  job.startedAt ??= turn.now;
  if (job.phase.kind === 'pending') job.phase = { kind: 'running' };
};

/** The prompt is said to be over: ask its history at once, then ever less often. */
const claimEnd = (turn: Turn, job: Job, claim: Claim): void => {
  begin(turn, job);
  const since = job.phase.kind === 'ending' ? job.phase.since : turn.now;
  const keep = job.phase.kind === 'ending' && claim.kind === 'end';
  if (!keep) job.phase = { kind: 'ending', claim, since };
  job.historyTries = 0;
  wantHistory(job, turn.now);
};

const onError = (turn: Turn, job: Job, error: ExecutionErrorData): void => {
  if (error.timestamp !== undefined) claimEnd(turn, job, { kind: 'error', error });
  else if (error.exception_type === 'ExecutionBlocked') {
    if (error.node_id) job.blockedNodes.add(error.node_id.slice(0, 512));
  } else wantHistory(job, turn.now);
};

const onExecuted = (turn: Turn, job: Job, nodeId: string, display: string | null, output: unknown): void => {
  begin(turn, job);
  if (!job.announced.has(nodeId)) {
    const { files, texts, skipped } = outputsOfNode(nodeId, output);
    job.announced.add(nodeId);
    job.pendingImages.push(...files);
    job.outputsSeen += files.length + texts.length;
    for (let i = 0; i < skipped; i += 1) turn.counts.push('outputsSkipped');
  }
  finishNode(turn, job, nodeId, { displayNodeId: display });
};

const onProgressState = (turn: Turn, job: Job, nodes: Readonly<Record<string, unknown>>): void => {
  begin(turn, job);
  for (const [nodeId, value] of Object.entries(nodes)) {
    const known = job.nodes.get(nodeId);
    if (nodeId.length > 512 || (known !== undefined && known.state !== 'running')) continue;
    const node = progressNodeSchema.safeParse(value);
    if (node.success) applyProgressNode(turn, job, nodeId, node.data);
  }
};

const onStatus = (turn: Turn, remaining: number): void => {
  const { state } = turn;
  const before = state.queueRemaining;
  const isFirst = state.canary.status === undefined;
  if (isFirst) noteUnseenEnd(turn, remaining);
  state.queueRemaining = remaining;
  state.canary = { status: remaining, mismatchSince: undefined, deaf: false };
  if (remaining > 0 && remaining !== before) wantQueue(turn, LIMITS.statusQueueSpacingMs);
};

const promptOf = (
  turn: Turn,
  frame: Exclude<Frame, { type: 'status' | 'feature_flags' }>,
): string | undefined => {
  const { prompt_id: promptId } = frame.data;
  if (promptId !== null && promptId !== undefined) return promptId;
  // After a reconnect `executing` names no prompt: it can only be meant for the one own job that runs.
  return frame.type === 'executing' && frame.data.node !== null
    ? onlyRunningPrompt(turn.state.jobs)
    : undefined;
};

const applyToJob = (
  turn: Turn,
  job: Job,
  frame: Exclude<Frame, { type: 'status' | 'feature_flags' }>,
): void => {
  switch (frame.type) {
    case 'execution_start':
      return begin(turn, job);
    case 'execution_cached':
      begin(turn, job);
      return cacheNodes(turn, job, frame.data.nodes);
    case 'executing':
      if (frame.data.node === null) return claimEnd(turn, job, { kind: 'end' });
      begin(turn, job);
      return startNode(turn, job, frame.data.node, { displayNodeId: frame.data.display_node });
    case 'progress':
      begin(turn, job);
      if (!frame.data.node) return undefined;
      return stepNode(turn, job, frame.data.node, frame.data.value, frame.data.max);
    case 'progress_state':
      return onProgressState(turn, job, frame.data.nodes);
    case 'executed':
      return onExecuted(turn, job, frame.data.node, frame.data.display_node ?? null, frame.data.output);
    case 'execution_success':
      return claimEnd(turn, job, { kind: 'success' });
    case 'execution_error':
      return onError(turn, job, frame.data);
    case 'execution_interrupted':
      return claimEnd(turn, job, { kind: 'interrupted' });
    default:
      return frame satisfies never;
  }
};

export const applyFrame = (turn: Turn, frame: Frame): void => {
  if (frame.type === 'status') return onStatus(turn, frame.data.status.exec_info.queue_remaining);
  if (frame.type === 'feature_flags') return;
  const promptId = promptOf(turn, frame);
  if (promptId === undefined) {
    turn.counts.push('framesWithoutPrompt');
    return;
  }
  const job = jobOfFrame(turn, promptId, frame.type);
  if (job !== undefined) applyToJob(turn, job, frame);
};

/** Pictures and texts of binary frames are not for the bus; a preview still shows that its prompt is alive. */
export const applyBinary = (turn: Turn, frame: BinaryFrame): void => {
  switch (frame.kind) {
    case 'preview':
    case 'previewWithMetadata': {
      turn.counts.push('previewFrames');
      const promptId = frame.kind === 'preview' ? onlyRunningPrompt(turn.state.jobs) : frame.promptId;
      const job = promptId === undefined ? undefined : draftJob(turn, promptId);
      if (job !== undefined) job.frameAt = turn.now;
      return;
    }
    case 'text':
      turn.counts.push('textFrames');
      return;
    case 'invalid':
      turn.counts.push('invalidBinaryFrames');
      return;
    case 'unencoded':
    case 'unknown':
      turn.counts.push('unknownBinaryFrames');
      return;
    default:
      frame satisfies never;
  }
};
