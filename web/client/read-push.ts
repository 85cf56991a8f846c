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
  amountOrNull,
  countOrZero,
  countOf,
  fieldsOf,
  listOf,
  nameOf,
  objectOf,
  oneOf,
  optional,
  or,
  orNull,
  parseJson,
  percentageOf,
  textOrEmpty,
  textOf,
  textOrNull,
  word,
  type Reader,
  type Shape,
} from './guards.ts';
import { readPushMissing, readPushOutputs } from './read-outputs.ts';

/** API Gateway sends at most 128 KB per message; ten times that is not ours. */
const MAX_PUSH_LENGTH = 1_310_720;
const MAX_RUNNING_NODES = 64;
const MAX_NODE_RECORDS = 200;
const MAX_PREVIEW_LENGTH = 33_000;

export const jobStatus = oneOf<JobStatus>(
  'pending',
  'assigned',
  'running',
  'completed',
  'failed',
  'cancelled',
);
/** 1 is next; null for anything else than a place. */
export const placeOf: Reader<number | null> = (value) => countOf(value) || null;

/** What has no name goes by its id. */
const nodeName: Reader<string> = (value, fields) => textOf(value) ?? textOf(fields?.['nodeId']);
const cut = { outputsTruncated: optional((value) => value === true || undefined) };

const runningNode: Shape<RunningNode> = {
  nodeId: textOf,
  displayNodeId: nodeName,
  nodeName,
  nodeType: textOrEmpty,
  nodeProgress: or(amountOf, 0),
  nodeMaxProgress: or(amountOf, 1),
  nodePercentage: or(percentageOf, 0),
  nodeState: or(textOf, 'executing'),
};

const eta = orNull(
  objectOf<Eta>({
    lowSeconds: amountOf,
    highSeconds: (value, fields) => Math.max(amountOf(value) ?? 0, amountOf(fields?.['lowSeconds']) ?? 0),
  }),
);

const progress: Shape<JobProgress> = {
  ...runningNode,
  overallPercentage: percentageOf,
  completedNodes: countOrZero,
  cachedNodes: countOrZero,
  totalNodes: countOrZero,
  runningNodes: listOf(objectOf(runningNode), MAX_RUNNING_NODES),
  eta,
  message: textOrEmpty,
};

const nodes = listOf(
  objectOf<NodeRecord>({
    nodeId: textOf,
    nodeName,
    nodeType: textOrEmpty,
    state: oneOf('executing', 'executed', 'cached'),
    at: (value) => (Date.parse(value as string) ? textOf(value) : undefined),
    durationMs: amountOrNull,
  }),
  MAX_NODE_RECORDS,
);

const failure = {
  reason: word<FailureReason>('internal'),
  nodeId: optional(nameOf),
  nodeName: optional(nameOf),
  nodeType: optional(nameOf),
} satisfies Partial<Shape<PushOf<'job_failed'>>>;

const base = {
  jobId: nameOf,
  promptId: textOrNull,
  attempt: countOf,
  sequence: countOf,
  timestamp: textOrEmpty,
};
type Own<T extends JobPush['type']> = Omit<Shape<PushOf<T>>, 'type' | keyof typeof base>;

const keys: { readonly [T in JobPush['type']]: Own<T> } = {
  job_snapshot: {
    status: jobStatus,
    workflowId: textOrEmpty,
    progress: orNull(objectOf(progress)),
    outputs: readPushOutputs,
    error: textOrNull,
    retryCount: countOrZero,
    maxRetries: countOrZero,
    createdAt: textOrEmpty,
    startedAt: textOrNull,
    completedAt: textOrNull,
    nodes,
    queuePosition: placeOf,
    eta,
    failure: optional(objectOf(failure)),
    // Not in the contract of today, but the list may be cut here for the same reason as in job_completed.
    ...cut,
  },
  job_started: { message: textOrEmpty, totalNodes: countOrZero, cachedNodes: countOrZero },
  job_progress: {
    ...progress,
    outputs: optional((value) => (Array.isArray(value) ? readPushOutputs(value) : undefined)),
  },
  job_nodes: { nodes },
  job_preview: {
    nodeId: textOrNull,
    mimeType: oneOf('image/jpeg', 'image/png'),
    image: (value) => (typeof value === 'string' && value.length <= MAX_PREVIEW_LENGTH ? value : undefined),
  },
  job_completed: {
    message: textOrEmpty,
    outputs: readPushOutputs,
    missingOutputs: readPushMissing,
    ...cut,
    durationMs: amountOrNull,
  },
  job_failed: { message: textOrEmpty, ...failure },
  job_retrying: {
    message: textOrEmpty,
    ...failure,
    nextAttempt: countOrZero,
    maxRetries: countOrZero,
    delaySeconds: or(amountOf, 0),
  },
  job_cancelled: { message: textOrEmpty },
};

const readError = objectOf<PushOf<'error'>>({
  type: oneOf('error'),
  code: word('internal'),
  message: textOrEmpty,
  jobId: optional(nameOf),
});

/** A text frame's push; undefined for a binary frame, no JSON, an unknown type or a push without identity. */
export const readPush = (data: unknown): PushMessage | undefined => {
  if (typeof data !== 'string' || data.length > MAX_PUSH_LENGTH) return undefined;
  const fields = fieldsOf(parseJson(data));
  const type = fields?.['type'];
  if (type === 'pong') return { type };
  if (type === 'error') return readError(fields);
  if (typeof type !== 'string' || !Object.hasOwn(keys, type)) return undefined;
  const own = keys[type as JobPush['type']];
  return objectOf<JobPush>({ type: () => type, ...base, ...own } as unknown as Shape<JobPush>)(fields);
};
