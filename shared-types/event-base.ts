/** What every event on the bus carries in `detail`, and the pieces that several events share. */
import * as z from 'zod';

/** Version of the event contract. Additive within a major: consumers accept any `1.x` and ignore unknown keys. */
export const SCHEMA_VERSION = '1.0';

/** EventBridge bills in units of 64 KB; every event is cut to fit in one (aws.amazon.com/eventbridge/pricing). */
export const MAX_EVENT_BYTES = 64 * 1024;

const schemaVersion = z
  .string()
  .regex(/^1\.\d+$/, 'must be a 1.x version')
  .describe('Version of this contract; additive within a major.');

const identity = {
  eventId: z
    .uuid()
    .describe('Unique per event; the same on a second delivery, so it is the deduplication id.'),
  schemaVersion,
  timestamp: z.iso.datetime({ offset: true }).describe('When it happened, ISO 8601 with milliseconds.'),
  sequence: z
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .describe('Counts from 1 and never repeats: per job attempt, or per monitor boot for monitor events.'),
};

/** Common keys of an event about one attempt of one job on one worker. */
export const jobEventBase = {
  ...identity,
  promptId: z.string().min(1).max(128).describe("ComfyUI's prompt_id of this attempt."),
  clientId: z.string().min(1).max(128).describe('The WebSocket clientId of the monitor, sent as client_id.'),
  workerId: z.string().min(1).max(128).describe('The worker (pod) that runs the attempt.'),
  jobId: z.string().min(1).max(128).describe('The job, stable over attempts.'),
  attempt: z.number().int().min(1).max(1000).describe('Counts from 1; a retry is a new attempt.'),
};

/** Common keys of an event about a monitor itself: the job keys are present and null. */
export const monitorEventBase = {
  ...identity,
  promptId: z.null(),
  clientId: jobEventBase.clientId,
  workerId: jobEventBase.workerId,
  jobId: z.null(),
  attempt: z.literal(0),
  bootId: z.uuid().describe('New at each start of the monitor; `sequence` counts within it.'),
};

/** Common keys of an event of the control plane about a task; what is not yet known is null. */
export const taskEventBase = {
  ...identity,
  promptId: jobEventBase.promptId.nullable(),
  clientId: jobEventBase.clientId.nullable(),
  workerId: jobEventBase.workerId.nullable(),
  jobId: jobEventBase.jobId,
  attempt: z.number().int().min(0).max(1000).describe('0 before the first dispatch.'),
  userId: z.string().min(1).max(128),
  sessionId: z.string().min(1).max(128),
  workflowId: z.string().min(1).max(256),
  priority: z.number().int().min(0).max(10),
};

/** One node as a person sees it. */
export const nodeRef = {
  nodeId: z
    .string()
    .max(512)
    .describe('Execution id, for example `12` or `2.0.0.1` inside an expanded node.'),
  displayNodeId: z.string().max(512).describe('The node of the submitted workflow that it belongs to.'),
  nodeName: z
    .string()
    .max(256)
    .describe('Human-readable name: the title, else the display name of its class.'),
  nodeType: z.string().max(256).describe('class_type.'),
};

/** One node at work. */
export const runningNodeSchema = z.looseObject({
  ...nodeRef,
  nodeProgress: z.number().min(0).describe('Steps done.'),
  nodeMaxProgress: z.number().min(0).describe('Steps in all; 1 for a node that reports none.'),
  nodePercentage: z.number().min(0).max(100),
  nodeState: z.string().max(32).describe('`executing` or `finished`.'),
  parentNodeId: z.string().max(512).optional(),
  realNodeId: z.string().max(512).optional(),
});
export type RunningNode = z.infer<typeof runningNodeSchema>;

/** How long something will take yet. The truth lies between both four times of five, as far as history tells. */
export const etaSchema = z.looseObject({
  lowSeconds: z.number().min(0),
  highSeconds: z.number().min(0).describe('Not below lowSeconds.'),
});
export type Eta = z.infer<typeof etaSchema>;

/** The progress of a whole attempt: one snapshot replaces the one before it. */
export const progressSnapshot = {
  overallPercentage: z
    .number()
    .min(0)
    .max(100)
    .describe('Never falls within an attempt; 100 only at the end.'),
  completedNodes: z.number().int().min(0).describe('Nodes executed or taken from the cache.'),
  cachedNodes: z.number().int().min(0),
  totalNodes: z.number().int().min(0).describe('0 while the workflow is unknown.'),
  runningNodes: z.array(runningNodeSchema).max(64).describe('Parallel nodes are normal.'),
  eta: etaSchema
    .nullable()
    .optional()
    .describe('Until the end of the attempt; null or absent while there is nothing to estimate from.'),
};

/** A file that a node announced, as ComfyUI names it. Its identity is (nodeId, outputKey, index), never the name. */
export const outputFileSchema = z.looseObject({
  nodeId: z.string().max(512),
  outputKey: z.string().max(256).describe('`images`, `gifs`, `video`, `audio`, `3d`, …'),
  index: z.number().int().min(0),
  filename: z.string().min(1).max(1024),
  subfolder: z.string().max(1024),
  type: z.string().max(32).describe('`output`, `temp` or `input`.'),
});
export type OutputFile = z.infer<typeof outputFileSchema>;

/** An output after it was stored, as users get it. */
export const storedOutputSchema = z.looseObject({
  outputId: z.uuid().describe('Derived from (jobId, nodeId, outputKey, index).'),
  nodeId: z.string(),
  outputKey: z.string(),
  index: z.number().int().min(0),
  kind: z.enum(['image', 'animated', 'video', 'audio', 'model', 'text', 'file']),
  src: z.string().describe('URL to fetch it from.'),
  mimeType: z.string(),
  size: z.number().int().min(0).describe('Bytes.'),
  filename: z.string().describe("ComfyUI's own file name, for people."),
});
export type StoredOutput = z.infer<typeof storedOutputSchema>;

/** An output of the history that could not be stored. */
export const missingOutputSchema = z.looseObject({
  nodeId: z.string(),
  outputKey: z.string(),
  index: z.number().int().min(0),
  filename: z.string(),
  error: z.string().max(512),
});
export type MissingOutput = z.infer<typeof missingOutputSchema>;

/** Why an attempt did not succeed. */
export const failureReasonSchema = z.enum([
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
]);
export type FailureReason = z.infer<typeof failureReasonSchema>;

/** What is known of a failure. Texts are cut to fit and `truncated` says so. */
export const failure = {
  reason: failureReasonSchema,
  message: z.string().max(4096).describe('One line for people.'),
  nodeId: z.string().max(512).optional(),
  nodeName: z.string().max(256).optional(),
  nodeType: z.string().max(256).optional(),
  exceptionType: z.string().max(512).optional(),
  traceback: z.array(z.string()).optional(),
  truncated: z.boolean().optional(),
};
