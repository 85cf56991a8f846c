/** Bodies of the task API (snake_case, as in seed 001). */
import * as z from 'zod';
import { failureReasonSchema } from './event-base.ts';
import { jobStatusSchema } from './push-messages.ts';

/**
 * Largest request body that POST /api/v1/tasks accepts as it is sent, in bytes: plain or compressed. Lambda limits a
 * synchronous event to 6 MB, and the body travels in it as an escaped JSON string, or as base64, which is longer by a
 * third (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
 */
export const MAX_TASK_BODY_BYTES = 4 * 1024 * 1024;
const UPLOAD_HINT = 'upload the workflow with POST /api/v1/files and name it in payload_file_id';
/** What a caller reads whose body is larger, wherever it is found out: with status 413. */
export const TASK_BODY_TOO_LARGE = {
  plain: `the body is larger than 4 MB; send it with Content-Encoding: gzip, or ${UPLOAD_HINT}`,
  gzip: `the compressed body is larger than 4 MB; ${UPLOAD_HINT}`,
} as const;
/**
 * Largest answer in bytes once it is written as a JSON string, which is how Lambda hands it on; Lambda limits that to
 * 6 MB. A workflow that does not fit is answered by its URL.
 */
export const MAX_ESCAPED_WORKFLOW_BYTES = 5.5 * 1024 * 1024;
export const DEFAULT_PRIORITY = 5;
export const DEFAULT_MAX_RETRIES = 3;

export const DEFAULT_TIMEOUT_SECONDS = 1800;
export const MAX_TIMEOUT_SECONDS = 86_400;
/** Largest workflow in bytes, however it comes: in the body, compressed, or as an uploaded file. */
export const MAX_WORKFLOW_BYTES = 10 * 1024 * 1024;
/** Largest file that a workflow may be given, in bytes: ComfyUI's own default for uploads. */
export const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;

const wholeNumber = (field: string, min: number, max: number) => {
  const message = `${field} must be a whole number from ${min} to ${max}`;
  return z.number(message).int(message).min(min, message).max(max, message);
};
const priorityField = wholeNumber('priority', 0, 10);
const tagSchema = z
  .string('tags must be strings')
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/, 'tags may hold letters, digits and . _ : / -, at most 64');

const name = (what: string, max = 128) =>
  z
    .string(`${what} must be a string`)
    .min(1, `${what} must not be empty`)
    .max(max, `${what} must be at most ${max} characters`);

/** Ids that callers choose and that stand in a path. */
export const storedWorkflowIdSchema = z
  .string('the id of a stored workflow must be a string')
  .regex(
    /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/,
    'the id of a stored workflow has 1 to 128 letters, digits and . _ -',
  );

/**
 * Body of POST /api/v1/tasks. The server reads `payload` apart and keeps it as the text that was sent, because numbers
 * in it (seeds up to 18446744073709551615) do not survive JSON.parse.
 */
export const submitTaskFieldsSchema = z.looseObject({
  workflow_id: name('workflow_id', 256).describe(
    'A name of yours; without `payload` and `payload_file_id`, the id of a stored workflow.',
  ),
  payload: z
    .record(z.string(), z.unknown(), 'payload must be an object: the API-format workflow, node id → node')
    .optional()
    .describe('The workflow in API format.'),
  payload_file_id: z
    .uuid('payload_file_id must be the file_id that POST /api/v1/files answered')
    .optional()
    .describe('The workflow as an uploaded file of at most 10 MB.'),
  priority: priorityField.default(DEFAULT_PRIORITY),
  session_id: name('session_id')
    .regex(/^[A-Za-z0-9._-]+$/, 'session_id may hold letters, digits, dot, dash and underscore')
    .refine((value) => !/^\.+$/.test(value), 'session_id must not be only dots')
    .default('default'),
  max_retries: wholeNumber('max_retries', 0, 10).default(DEFAULT_MAX_RETRIES),
  timeout_seconds: wholeNumber('timeout_seconds', 1, MAX_TIMEOUT_SECONDS)
    .default(DEFAULT_TIMEOUT_SECONDS)
    .describe('How long one attempt may run in ComfyUI.'),
  callback_url: z
    .url({ protocol: /^https?$/, error: 'callback_url must be an http or https URL' })
    .max(2048, 'callback_url must be at most 2048 characters')
    .optional()
    .describe('Told of the end of the task (Standard Webhooks).'),
  tags: z
    .array(tagSchema, 'tags must be a list of strings')
    .max(16, 'tags must be at most 16')
    .default([])
    .describe('Only a worker that has all of them is given the task.'),
  inputs: z
    .record(z.string().max(512), z.unknown(), 'inputs must be an object: parameter → value')
    .optional()
    .describe('Values by parameter of the stored workflow, or by `<nodeId>.inputs.<input>`.'),
});
export type SubmitTaskFields = z.infer<typeof submitTaskFieldsSchema>;

/** One node of an API-format workflow. */
export const workflowNodeSchema = z.looseObject({
  class_type: z.string().min(1),
  inputs: z.record(z.string(), z.unknown()),
  _meta: z
    .looseObject({ title: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

export const submitTaskResponseSchema = z.looseObject({
  id: z.uuid(),
  workflow_id: z.string(),
  status: z.literal('pending'),
  created_at: z.iso.datetime({ offset: true }),
});
export type SubmitTaskResponse = z.infer<typeof submitTaskResponseSchema>;

const taskOutputSchema = z.looseObject({
  output_id: z.uuid(),
  node_id: z.string(),
  output_key: z.string(),
  index: z.number().int().min(0),
  kind: z.string(),
  src: z.string(),
  mime_type: z.string(),
  size: z.number().int().min(0),
  filename: z.string(),
});

const missingTaskOutputSchema = z.looseObject({
  node_id: z.string(),
  output_key: z.string(),
  index: z.number().int().min(0),
  filename: z.string(),
  error: z.string(),
});

export const taskResultSchema = z.looseObject({
  src: z.string().nullable().describe('URL of the first output.'),
  mime_type: z.string().nullable(),
  outputs: z.array(taskOutputSchema),
  missing_outputs: z.array(missingTaskOutputSchema),
});

const attemptSchema = z.looseObject({
  attempt: z.number().int().min(1),
  status: z.enum(['assigned', 'running', 'completed', 'failed', 'cancelled']),
  worker_id: z.string(),
  prompt_id: z.string().nullable(),
  assigned_at: z.iso.datetime({ offset: true }).nullable(),
  started_at: z.iso.datetime({ offset: true }).nullable(),
  ended_at: z.iso.datetime({ offset: true }).nullable(),
  error: z.string().describe('Empty when nothing went wrong.'),
  reason: failureReasonSchema.nullable(),
  node_id: z.string().nullable(),
});

/** The seed's Task object, with the progress beside it. */
export const taskSchema = z.looseObject({
  id: z.uuid(),
  workflow_id: z.string(),
  priority: z.number().int().min(0).max(10),
  status: jobStatusSchema,
  payload: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('null when it is too large for an answer: see payload_url.'),
  payload_url: z.string().optional().describe('Where to read a large payload, for 15 minutes.'),
  worker_id: z.string().describe('Empty before the first dispatch.'),
  created_at: z.iso.datetime({ offset: true }),
  started_at: z.iso.datetime({ offset: true }).nullable(),
  completed_at: z.iso.datetime({ offset: true }).nullable(),
  result: taskResultSchema.nullable(),
  outputs: z
    .array(taskOutputSchema)
    .default([])
    .describe(
      'Stored so far, while the task runs too; at the end the same as `result.outputs`, unless `outputs_truncated`.',
    ),
  outputs_truncated: z
    .literal(true)
    .optional()
    .describe('`outputs` is left empty because the answer would be too large: see `result.outputs`.'),
  error: z.string().describe('Empty when nothing went wrong.'),
  retry_count: z.number().int().min(0),
  max_retries: z.number().int().min(0),
  session_id: z.string(),
  prompt_id: z.string().nullable(),
  attempt: z.number().int().min(0),
  progress: z.number().min(0).max(100).describe('Overall percentage.'),
  queue_position: z
    .number()
    .int()
    .min(1)
    .nullable()
    .describe('1 is next; null unless pending. An estimate while other users wait too.'),
  eta_seconds: z.number().min(0).nullable().describe('Until the end; null when nothing is known yet.'),
  waiting_for: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'What keeps a pending task besides those before it, in one line: `no worker has the tags gpu:h100`, `the queue is paused`, `your limit of 20 running tasks`.',
    ),
  timeout_seconds: z.number().int(),
  tags: z.array(z.string()),
  cancel_requested: z.boolean().describe('True from the request on, also while ComfyUI still runs it.'),
  retry_of: z.uuid().nullable().describe('The task that this one repeats.'),
  callback_url: z.string().nullable(),
  attempts: z.array(attemptSchema).describe('Oldest first; the running one is last.'),
});
/** What a server of this version or of one before it answers. */
export type Task = z.input<typeof taskSchema>;

/** A task in a list: all but its workflow, outputs and estimates. */
export const taskSummarySchema = taskSchema.omit({
  payload: true,
  payload_url: true,
  result: true,
  outputs: true,
  outputs_truncated: true,
  queue_position: true,
  eta_seconds: true,
  waiting_for: true,
  attempts: true,
});
export type TaskSummary = z.infer<typeof taskSummarySchema>;

export const taskListSchema = z.looseObject({
  tasks: z.array(taskSummarySchema).describe('Newest first.'),
  next_cursor: z.string().nullable().describe('Pass as `cursor`; null on the last page.'),
});
export type TaskList = z.infer<typeof taskListSchema>;

/** What happened to a task, oldest first. */
export const timelineSchema = z.looseObject({
  entries: z.array(
    z.looseObject({
      at: z.iso.datetime({ offset: true }),
      attempt: z.number().int().min(0).describe('0 before the first dispatch.'),
      what: z.enum([
        'submitted',
        'assigned',
        'started',
        'node_executing',
        'node_executed',
        'node_cached',
        'attempt_failed',
        'completed',
        'failed',
        'cancelled',
      ]),
      message: z.string().describe('One line for people.'),
      worker_id: z.string().nullable(),
      node_id: z.string().nullable(),
      node_name: z.string().nullable(),
      node_type: z.string().nullable(),
      duration_ms: z.number().min(0).nullable(),
    }),
  ),
  truncated: z.boolean().describe('True when there are more than 10,000 entries: the first are shown.'),
});
export type Timeline = z.infer<typeof timelineSchema>;

/** Query of GET /api/v1/tasks. */
export const taskListQuerySchema = z.looseObject({
  status: z
    .enum(
      ['pending', 'assigned', 'running', 'completed', 'failed', 'cancelled'],
      'status must be one of pending, assigned, running, completed, failed, cancelled',
    )
    .optional(),
  workflow_id: z.string().max(256, 'workflow_id must be at most 256 characters').optional(),
  limit: z.coerce
    .number('limit must be a whole number from 1 to 100')
    .int('limit must be a whole number from 1 to 100')
    .min(1, 'limit must be a whole number from 1 to 100')
    .max(100, 'limit must be a whole number from 1 to 100')
    .default(50),
  cursor: z.string().max(1024, 'cursor is not one of ours').optional(),
});

/** Body of PATCH /api/v1/tasks/{id}. */
export const changeTaskSchema = z.looseObject({ priority: priorityField });

/** Body of POST /api/v1/queue/pause and /resume. */
export const queueControlSchema = z.looseObject({
  scope: z
    .enum(['mine', 'all'], 'scope must be "mine" or "all"')
    .default('mine')
    .describe('`all` is for operators (scope admin).'),
});
export const queueStateSchema = z.looseObject({
  paused: z.boolean().describe('Your own queue.'),
  all_paused: z.boolean().describe('Every queue, by an operator.'),
});

/** Seed 001's QueueMetrics (of the caller's own tasks) and WorkerMetrics (of all workers). */
export const metricsSchema = z.looseObject({
  queue: z.looseObject({
    pending_tasks: z.number().int().min(0),
    running_tasks: z.number().int().min(0).describe('Assigned or running.'),
    completed_tasks: z.number().int().min(0),
    failed_tasks: z.number().int().min(0),
    cancelled_tasks: z.number().int().min(0),
  }),
  workers: z.looseObject({
    total_workers: z.number().int().min(0).describe('All but those that stopped in order.'),
    idle_workers: z.number().int().min(0),
    running_workers: z.number().int().min(0).describe('Busy or draining.'),
    starting_workers: z.number().int().min(0),
    failed_workers: z.number().int().min(0).describe('Failed or lost.'),
  }),
});
export type Metrics = z.infer<typeof metricsSchema>;

/** Seed 001's Worker object. */
export const workerSchema = z.looseObject({
  id: z.string(),
  pod_name: z.string(),
  status: z.enum(['starting', 'idle', 'busy', 'draining', 'failed', 'lost', 'stopped']),
  endpoint: z.string().describe('Scheme and host; a path is shown to operators only, for it may be secret.'),
  port: z.number().int(),
  current_task_id: z.string().describe("Empty when idle, or when the task is another user's."),
  queued_tasks: z.number().int().min(0).describe("Prompts that wait in its ComfyUI's queue."),
  created_at: z.iso.datetime({ offset: true }),
  last_active_at: z.iso.datetime({ offset: true }),
  health_status: z.boolean(),
  tags: z.array(z.string()),
  comfyui_version: z.string().nullable(),
  provider: z.string(),
});
export type WorkerView = z.infer<typeof workerSchema>;
export const workerListSchema = z.looseObject({ workers: z.array(workerSchema) });

/** Body of POST /api/v1/files. */
export const createFileSchema = z.looseObject({
  filename: name('filename', 255)
    .regex(
      /^[^\\/\p{Cc}\p{Cs}\ufffe\uffff]+$/u,
      'filename must be a plain name without path or control characters',
    )
    .refine((value) => !/^\.+$/.test(value), 'filename must not be only dots')
    .refine(
      (value) => new TextEncoder().encode(value).length <= 255,
      'filename must be at most 255 bytes in UTF-8',
    ),
  content_type: z
    .string('content_type must be a string')
    .regex(/^[\w.+-]+\/[\w.+-]+$/, 'content_type must be a media type such as image/png')
    .max(127)
    .default('application/octet-stream'),
  size: wholeNumber('size', 1, MAX_UPLOAD_BYTES).describe('Bytes, exactly.'),
});
export const createFileResponseSchema = z.looseObject({
  file_id: z.uuid(),
  upload_url: z.string().describe('PUT the bytes here.'),
  headers: z.record(z.string(), z.string()).describe('To send with the PUT, and no others.'),
  expires_at: z.iso.datetime({ offset: true }),
});

/** Body of PUT /api/v1/workflows/{id}; `workflow` is kept as text. */
export const putWorkflowSchema = z.looseObject({
  workflow: z.record(z.string(), z.unknown()).describe('API-format JSON.'),
  parameters: z
    .record(z.string(), z.union([z.string(), z.array(z.string())]))
    .default({})
    .describe('Name → `<nodeId>.inputs.<input>`, one or several.'),
});
export const storedWorkflowSchema = z.looseObject({
  id: z.string(),
  parameters: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  created_at: z.iso.datetime({ offset: true }),
  updated_at: z.iso.datetime({ offset: true }),
});
export const workflowListSchema = z.looseObject({ workflows: z.array(storedWorkflowSchema) });

export const ticketSchema = z.looseObject({
  ticket: z.string().describe('Good for one connection: `wss://…?ticket=…`.'),
  expires_at: z.iso.datetime({ offset: true }),
  web_socket_url: z.string(),
});

const apiScopeSchema = z.enum(
  ['tasks:read', 'tasks:write', 'workers:read', 'keys:write', 'admin'],
  'scopes may be tasks:read, tasks:write, workers:read, keys:write and admin',
);
/** Body of POST /api/v1/keys. */
export const createKeySchema = z.looseObject({
  name: name('name'),
  scopes: z
    .array(apiScopeSchema)
    .min(1, 'scopes must name at least one')
    .default(['tasks:read', 'tasks:write']),
  expires_in_days: wholeNumber('expires_in_days', 1, 3650).optional(),
  user_id: name('user_id')
    .optional()
    .describe('Whose key it is to be; another than the caller is for admins.'),
});
export const apiKeySchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  user_id: z.string(),
  scopes: z.array(apiScopeSchema),
  created_at: z.iso.datetime({ offset: true }),
  expires_at: z.iso.datetime({ offset: true }).nullable(),
  revoked: z.boolean(),
});
export const createKeyResponseSchema = apiKeySchema.extend({
  key: z.string().describe('Shown this once and stored nowhere. Send it as `Authorization: Bearer …`.'),
});
export const keyListSchema = z.looseObject({ keys: z.array(apiKeySchema) });

/** One call of a callback URL. */
export const callbackDeliverySchema = z.looseObject({
  id: z.string().describe('`webhook-id`: the same for every attempt of one delivery.'),
  event: z.enum(['task.completed', 'task.failed', 'task.cancelled']),
  url: z.string(),
  status: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.array(
    z.looseObject({
      at: z.iso.datetime({ offset: true }),
      status_code: z.number().int().nullable(),
      error: z.string(),
      duration_ms: z.number().min(0),
    }),
  ),
  next_attempt_at: z.iso.datetime({ offset: true }).nullable(),
});
export const callbackListSchema = z.looseObject({ deliveries: z.array(callbackDeliverySchema) });
export const callbackSecretSchema = z.looseObject({
  secret: z.string().describe('`whsec_…`: signs every callback of yours (Standard Webhooks, HMAC-SHA256).'),
});

const nodeErrorsSchema = z.record(
  z.string(),
  z.looseObject({
    class_type: z.string(),
    errors: z.array(z.looseObject({ type: z.string(), message: z.string(), input: z.string().optional() })),
  }),
);
export const errorBodySchema = z.looseObject({
  error: z.string().describe('One line that says what to do.'),
  node_errors: nodeErrorsSchema.optional().describe('By node, when a workflow is refused.'),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;
