/** ComfyUI's REST answers that we read (docs.comfy.org/development/comfyui-server/comms_routes; measured on 0.3.64). */
import * as z from 'zod';

/** `GET /prompt`. */
export const queueLengthSchema = z.looseObject({
  exec_info: z.looseObject({ queue_remaining: z.number().int().min(0) }),
});

/** What the control plane sends as `extra_data`, and a restarted monitor reads back. */
export const extraDataSchema = z.looseObject({
  client_id: z.string().optional().catch(undefined),
  jobId: z.string().min(1).max(128).optional().catch(undefined),
  userId: z.string().min(1).max(128).optional().catch(undefined),
  sessionId: z.string().min(1).max(128).optional().catch(undefined),
  attempt: z.number().int().min(1).max(1000).optional().catch(undefined),
});
export type ExtraData = z.infer<typeof extraDataSchema>;

const workflowSchema = z.record(z.string(), z.unknown()).catch({});

/** `[number, prompt_id, prompt, extra_data, outputs_to_execute]`; later releases append items. */
const queueItemSchema = z.tuple(
  [z.unknown(), z.string(), workflowSchema, extraDataSchema.catch({})],
  z.unknown(),
);

/** One prompt in the queue or in a history entry, its tuple named. */
export interface QueuedPrompt {
  readonly promptId: string;
  readonly workflow: Readonly<Record<string, unknown>>;
  readonly extraData: ExtraData;
  /** Nodes that ComfyUI was asked for; what they do not need is never executed. Empty when unknown. */
  readonly outputNodeIds: readonly string[];
  /** Place in the queue: grows from 0 at each start of ComfyUI, negative for `front`. Null when unreadable. */
  readonly number: number | null;
}

const outputNodeIdsSchema = z.array(z.string()).catch([]);
const queueNumberSchema = z.number().nullable().catch(null);

/** Names the items of a queue tuple, as `GET /queue` and a history entry's `prompt` carry it. */
export const queuedPromptOf = (item: z.infer<typeof queueItemSchema>): QueuedPrompt => ({
  promptId: item[1],
  workflow: item[2],
  extraData: item[3],
  outputNodeIds: outputNodeIdsSchema.parse(item[4]),
  number: queueNumberSchema.parse(item[0]),
});

const queuedPrompts = z.array(z.unknown()).transform((items) =>
  items.flatMap((item): QueuedPrompt[] => {
    const read = queueItemSchema.safeParse(item);
    return read.success ? [queuedPromptOf(read.data)] : [];
  }),
);

/** `GET /queue`. Items that do not read are left out. */
export const queueSchema = z
  .looseObject({ queue_running: queuedPrompts, queue_pending: queuedPrompts })
  .transform((queue) => ({ running: queue.queue_running, pending: queue.queue_pending }));
export type Queue = z.infer<typeof queueSchema>;

const historyStatusSchema = z.looseObject({
  status_str: z.string().nullable().optional().catch(null),
  completed: z.boolean().nullable().optional().catch(null),
  messages: z.array(z.unknown()).catch([]),
});

/** One entry of `GET /history/{id}`. */
export const historyEntrySchema = z.looseObject({
  prompt: queueItemSchema.optional().catch(undefined),
  outputs: z.record(z.string(), z.unknown()).catch({}),
  status: historyStatusSchema.nullable().optional().catch(null),
});
export type HistoryEntry = z.infer<typeof historyEntrySchema>;

/** `GET /history/{id}`: `{}` for an unknown and for an unfinished id alike. */
export const historySchema = z.record(z.string(), z.unknown());

/** The entry of `promptId` in an answer of `GET /history/{promptId}`, or undefined. Never throws. */
export const historyEntryOf = (answer: unknown, promptId: string): HistoryEntry | undefined => {
  const history = historySchema.safeParse(answer);
  if (!history.success || !Object.hasOwn(history.data, promptId)) return undefined;
  const entry = historyEntrySchema.safeParse(history.data[promptId]);
  return entry.success ? entry.data : undefined;
};

const nodeErrorSchema = z.looseObject({
  class_type: z.string().optional().catch(undefined),
  errors: z
    .array(
      z.looseObject({
        type: z.string().catch('unknown'),
        message: z.string().catch(''),
        details: z.string().catch(''),
      }),
    )
    .catch([]),
});

/** `node_errors` is `{}` or, in some releases, `[]`. */
const nodeErrorsSchema = z.record(z.string(), nodeErrorSchema).catch({});

/** `POST /prompt` answered 200. Non-empty `node_errors`: accepted, but some outputs were dropped. */
export const promptAcceptedSchema = z.looseObject({ prompt_id: z.string(), node_errors: nodeErrorsSchema });

/** `POST /prompt` answered 400. */
export const promptRejectedSchema = z.looseObject({
  error: z.union([
    z.looseObject({
      type: z.string().catch('unknown'),
      message: z.string().catch(''),
      details: z.string().catch(''),
    }),
    z.string().transform((message) => ({ type: 'unknown', message, details: '' })),
  ]),
  node_errors: nodeErrorsSchema,
});
export type PromptRejected = z.infer<typeof promptRejectedSchema>;

/** `GET /system_stats`. */
export const systemStatsSchema = z.looseObject({
  system: z.looseObject({
    comfyui_version: z.string().optional().catch(undefined),
    argv: z.array(z.string()).optional().catch(undefined),
  }),
  devices: z
    .array(
      z.looseObject({
        name: z.string().catch('unknown'),
        type: z.string().catch('unknown'),
        vram_total: z.number().optional().catch(undefined),
      }),
    )
    .catch([]),
});
export type SystemStats = z.infer<typeof systemStatsSchema>;

/** One class of `GET /object_info`. */
export const objectInfoClassSchema = z.looseObject({
  display_name: z.string().nullable().optional().catch(null),
  output_node: z.boolean().optional().catch(undefined),
});
export const objectInfoSchema = z.record(z.string(), z.unknown());
