/** Bodies of the task API (snake_case, as in seed 001). */
import * as z from 'zod';
import { jobStatusSchema } from './push-messages.ts';

/**
 * Largest request body that POST /api/v1/tasks accepts, in bytes. Lambda limits a synchronous event to 6 MB, and
 * the body travels in it as an escaped JSON string, or as base64, which is longer by a third.
 */
export const MAX_TASK_BODY_BYTES = 4 * 1024 * 1024;
/**
 * Largest workflow in bytes once it is written as a JSON string: GET /api/v1/tasks/{id} returns it inside one, and
 * Lambda limits that answer to 6 MB. The rest is for the task's other fields.
 */
export const MAX_ESCAPED_WORKFLOW_BYTES = 5.5 * 1024 * 1024;
export const DEFAULT_PRIORITY = 5;
export const DEFAULT_MAX_RETRIES = 3;

const name = (what: string) =>
  z
    .string(`${what} must be a string`)
    .min(1, `${what} must not be empty`)
    .max(128, `${what} must be at most 128 characters`);

/**
 * Everything of a submission but the workflow itself: `payload` is kept as the text that was sent, because
 * numbers in it (seeds up to 18446744073709551615) do not survive JSON.parse.
 */
export const submitTaskFieldsSchema = z.looseObject({
  workflow_id: name('workflow_id').max(256),
  priority: z
    .number('priority must be a whole number from 0 to 10')
    .int('priority must be a whole number from 0 to 10')
    .min(0, 'priority must be a whole number from 0 to 10')
    .max(10, 'priority must be a whole number from 0 to 10')
    .default(DEFAULT_PRIORITY),
  session_id: name('session_id')
    .regex(/^[A-Za-z0-9._-]+$/, 'session_id may hold letters, digits, dot, dash and underscore')
    .refine((value) => !/^\.+$/.test(value), 'session_id must not be only dots')
    .default('default'),
  max_retries: z
    .number('max_retries must be a whole number from 0 to 10')
    .int('max_retries must be a whole number from 0 to 10')
    .min(0, 'max_retries must be a whole number from 0 to 10')
    .max(10, 'max_retries must be a whole number from 0 to 10')
    .default(DEFAULT_MAX_RETRIES),
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

/** The seed's Task object, with the progress beside it. */
export const taskSchema = z.looseObject({
  id: z.uuid(),
  workflow_id: z.string(),
  priority: z.number().int().min(0).max(10),
  status: jobStatusSchema,
  payload: z.record(z.string(), z.unknown()),
  worker_id: z.string().describe('Empty before the first dispatch.'),
  created_at: z.iso.datetime({ offset: true }),
  started_at: z.iso.datetime({ offset: true }).nullable(),
  completed_at: z.iso.datetime({ offset: true }).nullable(),
  result: taskResultSchema.nullable(),
  error: z.string().describe('Empty when nothing went wrong.'),
  retry_count: z.number().int().min(0),
  max_retries: z.number().int().min(0),
  session_id: z.string(),
  prompt_id: z.string().nullable(),
  attempt: z.number().int().min(0),
  progress: z.number().min(0).max(100).describe('Overall percentage.'),
});
export type Task = z.infer<typeof taskSchema>;

export const errorBodySchema = z.looseObject({
  error: z.string().describe('One line that says what to do.'),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;
