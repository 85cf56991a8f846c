/** One WebSocket message → a push, or undefined. The server is trusted no more than any other peer. */
import type {
  Eta,
  FailureReason,
  JobProgress,
  JobPush,
  JobStatus,
  NodeRecord,
  PushMessage,
  PushOf,
  RunningNode,
} from '../../shared-types/index.ts';
import {
  amountOf,
  countOf,
  fieldsOf,
  listOf,
  oneOf,
  parseJson,
  percentageOf,
  textOf,
  textsOf,
  type Fields,
} from './guards.ts';
import { readPushMissing, readPushOutputs } from './read-outputs.ts';

/** API Gateway sends at most 128 KB per message; ten times that is not ours. */
const MAX_PUSH_LENGTH = 1_310_720;
const MAX_RUNNING_NODES = 64;
const MAX_NODE_RECORDS = 200;
const MAX_PREVIEW_LENGTH = 33_000;

export const JOB_STATUSES: readonly JobStatus[] = [
  'pending',
  'assigned',
  'running',
  'completed',
  'failed',
  'cancelled',
];
const REASONS: readonly FailureReason[] = [
  'nodeError',
  'outOfMemory',
  'badWorkflow',
  'interrupted',
  'comfyRestarted',
  'vanished',
  'workerStalled',
  'workerLost',
  'dispatchFailed',
  'timeout',
  'noStatus',
  'internal',
];
const ERROR_CODES = ['badRequest', 'notFound', 'tooManySubscriptions', 'internal'] as const;

const NODE_STATES = ['executing', 'executed', 'cached'] as const;
const PREVIEW_TYPES = ['image/jpeg', 'image/png'] as const;

const readNode = (value: unknown): RunningNode | undefined => {
  const fields = fieldsOf(value);
  const nodeId = textOf(fields?.['nodeId']);
  if (fields === undefined || nodeId === undefined) return undefined;
  return {
    nodeId,
    displayNodeId: textOf(fields['displayNodeId']) ?? nodeId,
    nodeName: textOf(fields['nodeName']) ?? nodeId,
    nodeType: textOf(fields['nodeType']) ?? '',
    nodeProgress: amountOf(fields['nodeProgress']) ?? 0,
    nodeMaxProgress: amountOf(fields['nodeMaxProgress']) ?? 1,
    nodePercentage: percentageOf(fields['nodePercentage']) ?? 0,
    nodeState: textOf(fields['nodeState']) ?? 'executing',
    ...textsOf(fields, ['parentNodeId', 'realNodeId']),
  };
};

const readProgress = (value: unknown): JobProgress | undefined => {
  const fields = fieldsOf(value);
  const node = readNode(value);
  const overallPercentage = percentageOf(fields?.['overallPercentage']);
  if (fields === undefined || node === undefined || overallPercentage === undefined) return undefined;
  return {
    ...node,
    overallPercentage,
    completedNodes: countOf(fields['completedNodes']) ?? 0,
    cachedNodes: countOf(fields['cachedNodes']) ?? 0,
    totalNodes: countOf(fields['totalNodes']) ?? 0,
    runningNodes: listOf(fields['runningNodes'], readNode, MAX_RUNNING_NODES),
    eta: readEta(fields['eta']),
    message: textOf(fields['message']) ?? '',
  };
};

/** Null where nothing can be estimated. */
const readEta = (value: unknown): Eta | null => {
  const fields = fieldsOf(value);
  const lowSeconds = amountOf(fields?.['lowSeconds']);
  if (lowSeconds === undefined) return null;
  return { lowSeconds, highSeconds: Math.max(lowSeconds, amountOf(fields?.['highSeconds']) ?? 0) };
};

const readRecord = (value: unknown): NodeRecord | undefined => {
  const fields = fieldsOf(value);
  const nodeId = textOf(fields?.['nodeId']);
  const state = oneOf(NODE_STATES, fields?.['state']);
  const at = textOf(fields?.['at']) ?? '';
  if (fields === undefined || nodeId === undefined || state === undefined || Number.isNaN(Date.parse(at)))
    return undefined;
  return {
    nodeId,
    nodeName: textOf(fields['nodeName']) ?? nodeId,
    nodeType: textOf(fields['nodeType']) ?? '',
    state,
    at,
    durationMs: amountOf(fields['durationMs']) ?? null,
  };
};
const readRecords = (value: unknown): NodeRecord[] => listOf(value, readRecord, MAX_NODE_RECORDS);

const readPreview = (fields: Fields, base: Pick<JobPush, keyof Base>): PushOf<'job_preview'> | undefined => {
  const { image } = fields;
  const mimeType = oneOf(PREVIEW_TYPES, fields['mimeType']);
  const fits = typeof image === 'string' && image.length <= MAX_PREVIEW_LENGTH && /^[\w+/]+=*$/.test(image);
  if (mimeType === undefined || !fits) return undefined;
  return { type: 'job_preview', ...base, nodeId: textOf(fields['nodeId']) ?? null, mimeType, image };
};

const readBase = (fields: Fields): Pick<JobPush, keyof Base> | undefined => {
  const jobId = textOf(fields['jobId']);
  const attempt = countOf(fields['attempt']);
  const sequence = countOf(fields['sequence']);
  if (jobId === undefined || jobId === '' || attempt === undefined || sequence === undefined)
    return undefined;
  const promptId = textOf(fields['promptId']) ?? null;
  return { jobId, promptId, attempt, sequence, timestamp: textOf(fields['timestamp']) ?? '' };
};
interface Base {
  jobId: unknown;
  promptId: unknown;
  attempt: unknown;
  sequence: unknown;
  timestamp: unknown;
}

const message = (fields: Fields): string => textOf(fields['message']) ?? '';

const readSnapshot = (
  fields: Fields,
  base: Pick<JobPush, keyof Base>,
): PushOf<'job_snapshot'> | undefined => {
  const status = oneOf(JOB_STATUSES, fields['status']);
  if (status === undefined) return undefined;
  return {
    type: 'job_snapshot',
    ...base,
    status,
    workflowId: textOf(fields['workflowId']) ?? '',
    progress: readProgress(fields['progress']) ?? null,
    outputs: readPushOutputs(fields['outputs']),
    error: textOf(fields['error']) ?? null,
    retryCount: countOf(fields['retryCount']) ?? 0,
    maxRetries: countOf(fields['maxRetries']) ?? 0,
    createdAt: textOf(fields['createdAt']) ?? base.timestamp,
    startedAt: textOf(fields['startedAt']) ?? null,
    completedAt: textOf(fields['completedAt']) ?? null,
    nodes: readRecords(fields['nodes']),
    queuePosition: countOf(fields['queuePosition']) || null,
    eta: readEta(fields['eta']),
    // Not in the contract of today, but the list may be cut here for the same reason as in job_completed.
    ...(fields['outputsTruncated'] === true ? { outputsTruncated: true } : {}),
  };
};

const failureOf = (fields: Fields) => ({
  reason: oneOf(REASONS, fields['reason']) ?? ('internal' as const),
  message: message(fields),
  ...textsOf(fields, ['nodeId', 'nodeName', 'nodeType']),
});

const readJobPush = (fields: Fields): JobPush | undefined => {
  const base = readBase(fields);
  if (base === undefined) return undefined;
  switch (fields['type']) {
    case 'job_snapshot':
      return readSnapshot(fields, base);
    case 'job_started': {
      const nodes = {
        totalNodes: countOf(fields['totalNodes']) ?? 0,
        cachedNodes: countOf(fields['cachedNodes']) ?? 0,
      };
      return { type: 'job_started', ...base, message: message(fields), ...nodes };
    }
    case 'job_progress': {
      const progress = readProgress(fields);
      if (progress === undefined) return undefined;
      const outputs = Array.isArray(fields['outputs']) ? { outputs: readPushOutputs(fields['outputs']) } : {};
      return { type: 'job_progress', ...base, ...progress, ...outputs };
    }
    case 'job_nodes': {
      const nodes = readRecords(fields['nodes']);
      return nodes.length === 0 ? undefined : { type: 'job_nodes', ...base, nodes };
    }
    case 'job_preview':
      return readPreview(fields, base);
    case 'job_completed':
      return {
        type: 'job_completed',
        ...base,
        message: message(fields),
        outputs: readPushOutputs(fields['outputs']),
        missingOutputs: readPushMissing(fields['missingOutputs']),
        outputsTruncated: fields['outputsTruncated'] === true,
        durationMs: amountOf(fields['durationMs']) ?? null,
      };
    case 'job_failed':
      return { type: 'job_failed', ...base, ...failureOf(fields) };
    case 'job_retrying':
      return {
        type: 'job_retrying',
        ...base,
        ...failureOf(fields),
        nextAttempt: countOf(fields['nextAttempt']) ?? base.attempt + 1,
        maxRetries: countOf(fields['maxRetries']) ?? 0,
        delaySeconds: amountOf(fields['delaySeconds']) ?? 0,
      };
    case 'job_cancelled':
      return { type: 'job_cancelled', ...base, message: message(fields) };
    default:
      return undefined;
  }
};

const readError = (fields: Fields): PushOf<'error'> => ({
  type: 'error',
  code: oneOf(ERROR_CODES, fields['code']) ?? 'internal',
  message: message(fields),
  ...textsOf(fields, ['jobId']),
});

/** A text frame's push; undefined for a binary frame, no JSON, an unknown type or a push without identity. */
export const readPush = (data: unknown): PushMessage | undefined => {
  if (typeof data !== 'string' || data.length > MAX_PUSH_LENGTH) return undefined;
  const fields = fieldsOf(parseJson(data));
  if (fields === undefined) return undefined;
  if (fields['type'] === 'pong') return { type: 'pong' };
  return fields['type'] === 'error' ? readError(fields) : readJobPush(fields);
};
