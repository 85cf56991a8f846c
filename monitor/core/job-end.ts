/** How an attempt ends. Each job gets exactly one terminal event, after everything that was pending of it. */
import {
  outcomeOfHistory,
  outputsOfHistory,
  executionCachedDataSchema,
  type ExecutionErrorData,
  type FailureReason,
  type HistoryEntry,
} from '../../shared-types/index.ts';
import { headWithin, tailWithin } from './event-size.ts';
import { closePhase, type Job } from './job.ts';
import { cacheNodes, finishNode } from './job-nodes.ts';
import { cleanText } from './node-names.ts';
import { countNodes, referenceOf } from './progress-snapshot.ts';
import { emitJob, publishPending } from './publish-job.ts';
import type { Turn } from './turn.ts';

const MAX_MESSAGE = 4096;
const MAX_LINE = 2048;
const TRACEBACK_BYTES = 24 * 1024;
const BLOCKED_BYTES = 16 * 1024;

const ensureIdentity = (job: Job): void => {
  job.identity ??= { jobId: job.promptId, attempt: 1 };
  job.ownership = 'ours';
};

const close = (
  turn: Turn,
  job: Job,
  detailType: 'Job Completed' | 'Job Failed' | 'Job Cancelled',
  body: Readonly<Record<string, unknown>>,
): void => {
  ensureIdentity(job);
  publishPending(turn, job, true);
  emitJob(turn, job, detailType, body);
  closePhase(job, turn.now);
};

const elapsed = (turn: Turn, job: Job): number | null =>
  job.startedAt === undefined ? null : Math.max(0, turn.now - job.startedAt);

const messagesOf = (entry: HistoryEntry): readonly unknown[] => entry.status?.messages ?? [];

const timeOf = (message: unknown): number | undefined => {
  const data: unknown = Array.isArray(message) ? message[1] : undefined;
  if (typeof data !== 'object' || data === null || !('timestamp' in data)) return undefined;
  return typeof data.timestamp === 'number' && Number.isFinite(data.timestamp) ? data.timestamp : undefined;
};

/** Between the first and the last message that ComfyUI itself dated; else by our own clock. */
const durationOf = (turn: Turn, job: Job, entry: HistoryEntry | undefined): number | null => {
  const times = entry === undefined ? [] : messagesOf(entry).flatMap((message) => timeOf(message) ?? []);
  const [first, last] = [times.at(0), times.at(-1)];
  if (times.length < 2 || first === undefined || last === undefined) return elapsed(turn, job);
  return Math.max(0, last - first);
};

/** Catches up with what the frames did not tell: that it started, and what came from the cache. */
const replayHistory = (turn: Turn, job: Job, entry: HistoryEntry): void => {
  if (messagesOf(entry).length > 0) job.startedAt ??= turn.now;
  for (const message of messagesOf(entry)) {
    if (!Array.isArray(message) || message[0] !== 'execution_cached') continue;
    const cached = executionCachedDataSchema.safeParse(message[1]);
    if (cached.success) cacheNodes(turn, job, cached.data.nodes);
  }
};

const complete = (
  turn: Turn,
  job: Job,
  facts: { verified: boolean; outputCount: number; durationMs: number | null },
): void => {
  job.startedAt ??= turn.now;
  for (const run of job.nodes.values()) if (run.state === 'running') finishNode(turn, job, run.nodeId);
  const { totalNodes, completedNodes, cachedNodes } = countNodes(job);
  const blocked = [...job.blockedNodes];
  const kept = headWithin(blocked, BLOCKED_BYTES);
  close(turn, job, 'Job Completed', {
    ...facts,
    completedNodes: blocked.length === 0 ? Math.max(totalNodes, completedNodes) : completedNodes,
    cachedNodes,
    totalNodes,
    ...(kept.length === 0 ? {} : { blockedNodes: kept }),
  });
};

const OUT_OF_MEMORY = /(^|\.)OutOfMemoryError$/;
const BAD_WORKFLOW = /(^|\.)DependencyCycleError$/;

const reasonOf = (error: ExecutionErrorData): FailureReason => {
  const type = error.exception_type ?? '';
  if (OUT_OF_MEMORY.test(type)) return 'outOfMemory';
  return BAD_WORKFLOW.test(type) ? 'badWorkflow' : 'nodeError';
};

const firstLine = (text: string): string => cleanText(text.trim().split('\n', 1)[0] ?? '', MAX_MESSAGE);

/** Names, the first line of the message and the end of the traceback; never inputs. */
const failureOf = (turn: Turn, job: Job, error: ExecutionErrorData): Record<string, unknown> => {
  const nodeId = error.node_id?.slice(0, 512);
  const named = nodeId === undefined ? undefined : referenceOf(job, turn.state.displayNames, nodeId, nodeId);
  const nodeType = cleanText(error.node_type ?? named?.nodeType ?? '');
  const lines = error.traceback ?? [];
  const traceback = tailWithin(
    lines.map((line) => line.slice(0, MAX_LINE)),
    TRACEBACK_BYTES,
  );
  const message = error.exception_message ?? '';
  const cut =
    message.length > MAX_MESSAGE || traceback.length < lines.length || lines.some((l) => l.length > MAX_LINE);
  return {
    reason: reasonOf(error),
    message: firstLine(message) || cleanText(error.exception_type ?? '') || 'A node failed.',
    ...(nodeId === undefined ? {} : { nodeId, nodeName: named?.nodeName }),
    ...(nodeType === '' ? {} : { nodeType }),
    ...(error.exception_type ? { exceptionType: cleanText(error.exception_type, 512) } : {}),
    ...(traceback.length === 0 ? {} : { traceback }),
    ...(cut ? { truncated: true } : {}),
  };
};

const failByError = (turn: Turn, job: Job, error: ExecutionErrorData, durationMs: number | null): void =>
  close(turn, job, 'Job Failed', { ...failureOf(turn, job, error), durationMs });

/** Ends the job for a reason that lies outside its nodes. */
export const failJob = (turn: Turn, job: Job, reason: FailureReason, message: string): void =>
  close(turn, job, 'Job Failed', { reason, message, durationMs: elapsed(turn, job) });

export const cancelJob = (
  turn: Turn,
  job: Job,
  reason: 'interrupted' | 'deletedWhilePending',
  durationMs: number | null = elapsed(turn, job),
): void => close(turn, job, 'Job Cancelled', { reason, durationMs });

/** An error that the history names without details; the frame may have had them. */
const knownError = (job: Job, entry: HistoryEntry): ExecutionErrorData | undefined => {
  if (job.phase.kind === 'ending' && job.phase.claim.kind === 'error') return job.phase.claim.error;
  const named = messagesOf(entry).some((m) => Array.isArray(m) && m[0] === 'execution_error');
  return named || entry.status?.status_str === 'error'
    ? { prompt_id: job.promptId, timestamp: undefined }
    : undefined;
};

const failByHistory = (
  turn: Turn,
  job: Job,
  error: ExecutionErrorData | undefined,
  durationMs: number | null,
): void => {
  if (error !== undefined) return failByError(turn, job, error, durationMs);
  const message = 'ComfyUI kept no status and no outputs of the prompt.';
  return close(turn, job, 'Job Failed', { reason: 'noStatus', message, durationMs });
};

/** Ends the job as its history says: the last terminal message decides. */
export const settleByHistory = (turn: Turn, job: Job, entry: HistoryEntry): void => {
  const outcome = outcomeOfHistory(entry);
  if (outcome.kind === 'unfinished') return;
  replayHistory(turn, job, entry);
  const durationMs = durationOf(turn, job, entry);
  if (outcome.kind === 'interrupted') cancelJob(turn, job, 'interrupted', durationMs);
  else if (outcome.kind === 'failed') {
    failByHistory(turn, job, outcome.error ?? knownError(job, entry), durationMs);
  } else {
    const { files, texts } = outputsOfHistory(entry);
    const outputCount = files.length + texts.length;
    complete(turn, job, { verified: outcome.verified, outputCount, durationMs });
  }
};

/** Ends the job as its frames said, when the history never answered. */
export const settleByClaim = (turn: Turn, job: Job): void => {
  if (job.phase.kind !== 'ending') return;
  const { claim } = job.phase;
  const durationMs = elapsed(turn, job);
  if (claim.kind === 'success') {
    complete(turn, job, { verified: false, outputCount: job.outputsSeen, durationMs });
  } else if (claim.kind === 'error') failByError(turn, job, claim.error, durationMs);
  else if (claim.kind === 'interrupted') cancelJob(turn, job, 'interrupted', durationMs);
};
