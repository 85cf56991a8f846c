/**
 * Text frames of ComfyUI's WebSocket that we read (docs.comfy.org/development/comfyui-server/comms_messages;
 * measured on 0.3.64). Unknown keys and unknown types are accepted: custom nodes send what they like.
 */
import * as z from 'zod';

const nodeId = z.string().max(512);
const promptId = z.string().max(512);
/** Numbers of custom nodes cannot be trusted: anything but a finite number reads as null. */
const lenientNumber = z.number().nullable().catch(null);
const lenientText = z.string().nullable().catch(null);
const lenientStrings = z.array(z.string()).catch([]);
/** Milliseconds since the epoch; the ExecutionBlocked form of execution_error has none. */
const timestamp = z.number().optional().catch(undefined);

export const statusDataSchema = z.looseObject({
  status: z.looseObject({ exec_info: z.looseObject({ queue_remaining: z.number().int().min(0) }) }),
  sid: z.string().optional().catch(undefined),
});

export const featureFlagsDataSchema = z.looseObject({
  supports_preview_metadata: z.boolean().optional().catch(undefined),
});

export const executionStartDataSchema = z.looseObject({ prompt_id: promptId, timestamp });

export const executionCachedDataSchema = z.looseObject({
  prompt_id: promptId,
  nodes: z.array(nodeId).catch([]),
  timestamp,
});

/** `node: null` ends the prompt; after a reconnect `prompt_id` is absent. */
export const executingDataSchema = z.looseObject({
  node: nodeId.nullable(),
  display_node: lenientText.optional(),
  prompt_id: promptId.nullable().optional().catch(null),
});

export const progressDataSchema = z.looseObject({
  value: lenientNumber,
  max: lenientNumber,
  prompt_id: promptId.nullable().optional().catch(null),
  node: nodeId.nullable().optional().catch(null),
});

export const progressNodeSchema = z.looseObject({
  value: lenientNumber,
  max: lenientNumber,
  state: z.string(),
  node_id: nodeId,
  display_node_id: lenientText.optional(),
  parent_node_id: lenientText.optional(),
  real_node_id: lenientText.optional(),
});
export type ProgressNode = z.infer<typeof progressNodeSchema>;

export const progressStateDataSchema = z.looseObject({
  prompt_id: promptId,
  nodes: z
    .record(z.string(), z.unknown())
    .describe('Values by node id; each is read with progressNodeSchema.'),
});

export const executedDataSchema = z.looseObject({
  prompt_id: promptId,
  node: nodeId,
  display_node: lenientText.optional(),
  output: z.unknown().describe('Object or null; walked by outputsOfNode.'),
});

export const executionSuccessDataSchema = z.looseObject({ prompt_id: promptId, timestamp });

export const executionErrorDataSchema = z.looseObject({
  prompt_id: promptId,
  node_id: lenientText.optional(),
  node_type: lenientText.optional(),
  exception_message: lenientText.optional(),
  exception_type: lenientText.optional(),
  traceback: lenientStrings.optional(),
  executed: lenientStrings.optional(),
  timestamp,
});
export type ExecutionErrorData = z.infer<typeof executionErrorDataSchema>;

export const executionInterruptedDataSchema = z.looseObject({
  prompt_id: promptId,
  node_id: lenientText.optional(),
  node_type: lenientText.optional(),
  executed: lenientStrings.optional(),
  timestamp,
});

export const frameDataSchemas = {
  status: statusDataSchema,
  feature_flags: featureFlagsDataSchema,
  execution_start: executionStartDataSchema,
  execution_cached: executionCachedDataSchema,
  executing: executingDataSchema,
  progress: progressDataSchema,
  progress_state: progressStateDataSchema,
  executed: executedDataSchema,
  execution_success: executionSuccessDataSchema,
  execution_error: executionErrorDataSchema,
  execution_interrupted: executionInterruptedDataSchema,
} as const;

export type FrameType = keyof typeof frameDataSchemas;
export type Frame = {
  [T in FrameType]: { readonly type: T; readonly data: z.infer<(typeof frameDataSchemas)[T]> };
}[FrameType];

/** A frame read: one that we know, one that we do not (harmless), or one that breaks the known shape. */
export type FrameReading =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'invalid'; readonly reason: string };

const isFrameType = (type: string): type is FrameType => Object.hasOwn(frameDataSchemas, type);

/** Reads a parsed JSON value as a frame. Never throws. */
export const readFrame = (value: unknown): FrameReading => {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') {
    return { kind: 'invalid', reason: 'a frame is an object with a string `type`' };
  }
  const { type } = value;
  if (!isFrameType(type)) return { kind: 'unknown', type: type.slice(0, 64) };
  const data = frameDataSchemas[type].safeParse('data' in value ? value.data : undefined);
  if (data.success) return { kind: 'frame', frame: { type, data: data.data } as Frame };
  const issue = data.error.issues[0];
  return {
    kind: 'invalid',
    reason: `${type}.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`.slice(0, 200),
  };
};
