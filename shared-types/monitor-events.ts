/** The events that a monitor publishes: seed 003's, and Job Cancelled and Monitor Heartbeat beside them. */
import * as z from 'zod';
import {
  failure,
  jobEventBase,
  monitorEventBase,
  nodeRef,
  outputFileSchema,
  progressSnapshot,
  runningNodeSchema,
} from './event-base.ts';

const deviceSchema = z.looseObject({
  name: z.string(),
  type: z.string(),
  vramTotal: z.number().min(0).optional().describe('Bytes.'),
});

export const monitorInitializedSchema = z
  .looseObject({
    ...monitorEventBase,
    comfyuiUrl: z.url({ protocol: /^https?$/ }).describe('Where the control plane reaches this ComfyUI.'),
    comfyuiVersion: z.string().nullable(),
    devices: z.array(deviceSchema).max(16),
    queueRemaining: z.number().int().min(0).describe('Prompts queued or running.'),
    heartbeatIntervalSeconds: z.number().int().min(1),
    tags: z
      .array(z.string().max(64))
      .max(16)
      .optional()
      .describe(
        'Tags of the worker (WORKER_TAGS): a task that asks for tags goes to a worker that has them all.',
      ),
  })
  .describe('A monitor is connected to its ComfyUI and ready for work.');

export const monitorHeartbeatSchema = z
  .looseObject({
    ...monitorEventBase,
    state: z.enum(['healthy', 'degraded', 'unreachable']),
    queueRemaining: z.number().int().min(0).nullable(),
    runningPromptIds: z.array(z.string()).max(16).describe('Own prompts in the queue, running first.'),
  })
  .describe('The monitor is alive; `state` is what it knows of its ComfyUI.');

export const monitorStoppedSchema = z
  .looseObject({
    ...monitorEventBase,
    reason: z.enum(['signal', 'error']),
  })
  .describe('The monitor shut down in order: its worker takes no more work.');

export const jobStartedSchema = z
  .looseObject({
    ...jobEventBase,
    totalNodes: z.number().int().min(0),
    cachedNodes: z.number().int().min(0),
  })
  .describe('ComfyUI began to execute the prompt.');

export const nodeProgressUpdateSchema = z
  .looseObject({
    ...jobEventBase,
    ...runningNodeSchema.shape,
    ...progressSnapshot,
  })
  .describe('The whole progress of the attempt, led by the node that matters most now.');

const executingNodeSchema = z.looseObject({
  ...nodeRef,
  startedAt: z.iso.datetime({ offset: true }),
});

export const nodeExecutingSchema = z
  .looseObject({
    ...jobEventBase,
    nodes: z.array(executingNodeSchema).min(1),
  })
  .describe('Nodes that started since the last such event; each transition is reported once.');

const executedNodeSchema = z.looseObject({
  ...nodeRef,
  finishedAt: z.iso.datetime({ offset: true }),
  durationMs: z.number().min(0).optional().describe('Absent when the start was not seen.'),
  cached: z.boolean(),
});

export const nodeExecutedSchema = z
  .looseObject({
    ...jobEventBase,
    nodes: z.array(executedNodeSchema).min(1),
  })
  .describe('Nodes that finished (or came from the cache) since the last such event; each is reported once.');

export const imagesGeneratedSchema = z
  .looseObject({
    ...jobEventBase,
    images: z.array(outputFileSchema).min(1),
  })
  .describe('Files that nodes announced. A hint to copy early; the history decides at the end.');

export const jobCompletedSchema = z
  .looseObject({
    ...jobEventBase,
    verified: z
      .boolean()
      .describe('False when the history carried no status and outputs had to speak for it.'),
    durationMs: z.number().min(0).nullable(),
    completedNodes: progressSnapshot.completedNodes,
    cachedNodes: progressSnapshot.cachedNodes,
    totalNodes: progressSnapshot.totalNodes,
    outputCount: z.number().int().min(0).describe('Files and texts in the history.'),
    blockedNodes: z.array(z.string()).optional().describe('Nodes that ExecutionBlocked kept from running.'),
  })
  .describe('ComfyUI finished the prompt and its history is readable. Media are not stored yet.');

export const jobFailedSchema = z
  .looseObject({ ...jobEventBase, ...failure, durationMs: z.number().min(0).nullable() })
  .describe('The attempt ended without success.');

export const jobCancelledSchema = z
  .looseObject({
    ...jobEventBase,
    reason: z.enum(['interrupted', 'deletedWhilePending']),
    durationMs: z.number().min(0).nullable(),
  })
  .describe(
    'The prompt was interrupted, or deleted before it ran. Who asked is for the control plane to know.',
  );

export type MonitorInitialized = z.infer<typeof monitorInitializedSchema>;
export type MonitorHeartbeat = z.infer<typeof monitorHeartbeatSchema>;
export type MonitorStopped = z.infer<typeof monitorStoppedSchema>;
export type JobStarted = z.infer<typeof jobStartedSchema>;
export type NodeProgressUpdate = z.infer<typeof nodeProgressUpdateSchema>;
export type NodeExecuting = z.infer<typeof nodeExecutingSchema>;
export type NodeExecuted = z.infer<typeof nodeExecutedSchema>;
export type ImagesGenerated = z.infer<typeof imagesGeneratedSchema>;
export type JobCompleted = z.infer<typeof jobCompletedSchema>;
export type JobFailed = z.infer<typeof jobFailedSchema>;
export type JobCancelled = z.infer<typeof jobCancelledSchema>;
