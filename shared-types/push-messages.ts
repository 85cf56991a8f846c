/** What travels over the browser's WebSocket: requests from the browser, pushes to it. JSON, camelCase. */
import * as z from 'zod';
import {
  etaSchema,
  failureReasonSchema,
  missingOutputSchema,
  progressSnapshot,
  runningNodeSchema,
  storedOutputSchema,
} from './event-base.ts';

/** Largest request that the subscribe route accepts, in bytes (API Gateway's own frame limit). */
export const MAX_CLIENT_MESSAGE_BYTES = 32 * 1024;
/** Jobs that one connection may follow at once. */
export const MAX_SUBSCRIPTIONS_PER_CONNECTION = 50;

export const subscribeRequestSchema = z.looseObject({
  action: z.literal('subscribe'),
  jobId: z.uuid('must be the id that POST /api/v1/tasks answered'),
  previews: z
    .boolean('previews must be true or false')
    .optional()
    .describe('Pictures while sampling (`job_preview`), where the stage allows them.'),
});
export type SubscribeRequest = z.infer<typeof subscribeRequestSchema>;

/** Leaves a job; it no longer counts among the connection's. Answered by nothing. */
export const unsubscribeRequestSchema = z.looseObject({
  action: z.literal('unsubscribe'),
  jobId: subscribeRequestSchema.shape.jobId,
});

/** Keeps the connection from being idle (API Gateway closes it after 10 minutes). Answered by `pong`. */
export const pingRequestSchema = z.looseObject({ action: z.literal('ping') });

export const jobStatusSchema = z.enum(['pending', 'assigned', 'running', 'completed', 'failed', 'cancelled']);
export type JobStatus = z.infer<typeof jobStatusSchema>;

const pushBase = {
  jobId: z.string(),
  promptId: z.string().nullable(),
  attempt: z.number().int().min(0),
  sequence: z
    .number()
    .int()
    .min(0)
    .describe(
      "Version of the job's state: grows by one with each push and never restarts, so an older one is dropped and a gap means a lost push.",
    ),
  timestamp: z.iso.datetime({ offset: true }),
};

const progressKeys = { ...runningNodeSchema.shape, ...progressSnapshot };

/** The last progress of a job, as the job item keeps it. */
export const jobProgressSchema = z.looseObject({ ...progressKeys, message: z.string() });
export type JobProgress = z.infer<typeof jobProgressSchema>;

/** What one node of an attempt did. */
export const nodeRecordSchema = z.looseObject({
  nodeId: z.string(),
  nodeName: z.string(),
  nodeType: z.string(),
  state: z.enum(['executing', 'executed', 'cached']),
  at: z.iso.datetime({ offset: true }).describe('When it began, ended, or was taken from the cache.'),
  durationMs: z.number().min(0).nullable(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

/** Why and where. */
const failurePlace = {
  reason: failureReasonSchema,
  nodeId: z.string().optional(),
  nodeName: z.string().optional(),
  nodeType: z.string().optional(),
};
const failureKeys = { ...failurePlace, message: z.string() };

export const jobSnapshotSchema = z.looseObject({
  type: z.literal('job_snapshot'),
  ...pushBase,
  status: jobStatusSchema,
  workflowId: z.string(),
  progress: jobProgressSchema.nullable(),
  outputs: z.array(storedOutputSchema),
  error: z.string().nullable(),
  retryCount: z.number().int().min(0),
  maxRetries: z.number().int().min(0),
  createdAt: z.iso.datetime({ offset: true }),
  startedAt: z.iso.datetime({ offset: true }).nullable(),
  completedAt: z.iso.datetime({ offset: true }).nullable(),
  nodes: z
    .array(nodeRecordSchema)
    .max(200)
    .optional()
    .describe('Of this attempt, in the order in which they began; the last 200.'),
  queuePosition: z.number().int().min(1).nullable().optional().describe('1 is next; only while pending.'),
  eta: etaSchema.nullable().optional().describe('Until the end of the task, waiting included.'),
  failure: z
    .looseObject(failurePlace)
    .optional()
    .describe('Of a task that has failed: why and where; its message is `error`.'),
});

export const jobStartedPushSchema = z.looseObject({
  type: z.literal('job_started'),
  ...pushBase,
  message: z.string(),
  totalNodes: progressSnapshot.totalNodes,
  cachedNodes: progressSnapshot.cachedNodes,
});

export const jobProgressPushSchema = z.looseObject({
  type: z.literal('job_progress'),
  ...pushBase,
  ...progressKeys,
  message: z.string().describe('`Generating image using K-Sampler: 15/20 steps (75%)`.'),
  outputs: z.array(storedOutputSchema).optional().describe('Outputs stored so far, when there are any.'),
});

/** Nodes that began or ended since the last such push. Carries the sequence of the state that it adds to. */
export const jobNodesPushSchema = z.looseObject({
  type: z.literal('job_nodes'),
  ...pushBase,
  nodes: z.array(nodeRecordSchema).min(1),
});

/**
 * A picture while sampling: at most one every two seconds, stored nowhere. A hint for the eye and no part of the
 * state: its `sequence` is that of the last state, and losing it is harmless.
 */
export const jobPreviewPushSchema = z.looseObject({
  type: z.literal('job_preview'),
  ...pushBase,
  nodeId: z.string().nullable(),
  mimeType: z.enum(['image/jpeg', 'image/png']),
  image: z.string().max(33_000).describe('Base64, at most 24 KB of picture.'),
});

export const jobCompletedPushSchema = z.looseObject({
  type: z.literal('job_completed'),
  ...pushBase,
  message: z.string(),
  outputs: z.array(storedOutputSchema),
  missingOutputs: z.array(missingOutputSchema),
  outputsTruncated: z.boolean().optional().describe('True when the list was cut; the task API has them all.'),
  durationMs: z.number().min(0).nullable(),
});

export const jobFailedPushSchema = z.looseObject({
  type: z.literal('job_failed'),
  ...pushBase,
  ...failureKeys,
});

export const jobRetryingPushSchema = z.looseObject({
  type: z.literal('job_retrying'),
  ...pushBase,
  ...failureKeys,
  nextAttempt: z.number().int().min(1),
  maxRetries: z.number().int().min(0),
  delaySeconds: z.number().min(0),
});

export const jobCancelledPushSchema = z.looseObject({
  type: z.literal('job_cancelled'),
  ...pushBase,
  message: z.string(),
});

/** Answer to `ping`. */
export const pongSchema = z.looseObject({ type: z.literal('pong') });

/** Answer to a request that cannot be honoured; about the request, not about a job's state. */
export const errorPushSchema = z.looseObject({
  type: z.literal('error'),
  code: z.enum(['badRequest', 'notFound', 'tooManySubscriptions', 'internal']),
  message: z.string().describe('One line that says what to do.'),
  jobId: z.string().optional(),
});

export const pushMessageSchema = z.discriminatedUnion('type', [
  jobSnapshotSchema,
  jobStartedPushSchema,
  jobProgressPushSchema,
  jobNodesPushSchema,
  jobPreviewPushSchema,
  jobCompletedPushSchema,
  jobFailedPushSchema,
  jobRetryingPushSchema,
  jobCancelledPushSchema,
  pongSchema,
  errorPushSchema,
]);
export type PushMessage = z.infer<typeof pushMessageSchema>;
export type PushType = PushMessage['type'];
export type PushOf<T extends PushType> = Extract<PushMessage, { type: T }>;
/** Pushes about a job; everything but answers to requests. */
export type JobPush = Exclude<PushMessage, { type: 'error' | 'pong' }>;
