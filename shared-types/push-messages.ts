/** What travels over the browser's WebSocket: requests from the browser, pushes to it. JSON, camelCase. */
import * as z from 'zod';
import {
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
});
export type SubscribeRequest = z.infer<typeof subscribeRequestSchema>;

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

export const jobCompletedPushSchema = z.looseObject({
  type: z.literal('job_completed'),
  ...pushBase,
  message: z.string(),
  outputs: z.array(storedOutputSchema),
  missingOutputs: z.array(missingOutputSchema),
  outputsTruncated: z.boolean().optional().describe('True when the list was cut; the task API has them all.'),
  durationMs: z.number().min(0).nullable(),
});

const failureKeys = {
  reason: failureReasonSchema,
  message: z.string(),
  nodeId: z.string().optional(),
  nodeName: z.string().optional(),
  nodeType: z.string().optional(),
};

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
  jobCompletedPushSchema,
  jobFailedPushSchema,
  jobRetryingPushSchema,
  jobCancelledPushSchema,
  errorPushSchema,
]);
export type PushMessage = z.infer<typeof pushMessageSchema>;
export type PushType = PushMessage['type'];
export type PushOf<T extends PushType> = Extract<PushMessage, { type: T }>;
/** Pushes that carry a job's state; everything but `error`. */
export type JobPush = Exclude<PushMessage, { type: 'error' }>;
