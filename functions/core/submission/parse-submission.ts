/** Reads the body of POST /api/v1/tasks. The workflow stays text: its numbers are never turned into doubles. */
import { isLosslessNumber, parse, stringify } from 'lossless-json';
import {
  MAX_ESCAPED_WORKFLOW_BYTES,
  MAX_TASK_BODY_BYTES,
  submitTaskFieldsSchema,
  type SubmitTaskFields,
} from '../../../shared-types/index.ts';
import { checkWorkflow } from './check-workflow.ts';

export type Submission =
  | {
      readonly kind: 'ok';
      readonly fields: Pick<SubmitTaskFields, 'workflow_id' | 'priority' | 'session_id' | 'max_retries'>;
      /** JSON text of the API-format workflow, every digit as it was sent. */
      readonly workflowText: string;
    }
  | { readonly kind: 'invalid'; readonly status: 400 | 413; readonly message: string };

type JsonObject = Record<string, unknown>;

const invalid = (message: string): Submission => ({ kind: 'invalid', status: 400, message });

const tooLarge = (message: string): Submission => ({ kind: 'invalid', status: 413, message });

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);

const parseLossless = (text: string): { readonly value: unknown } | { readonly problem: string } => {
  try {
    return { value: parse(text) };
  } catch (error) {
    if (error instanceof RangeError) return { problem: 'the body is nested too deeply' };
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'not JSON';
    return { problem: `the body is not valid JSON (${reason}); send an object with workflow_id and payload` };
  }
};

/** The small fields may pass through ordinary numbers. */
const readFields = (
  body: JsonObject,
): { readonly fields: SubmitTaskFields } | { readonly problem: string } => {
  const { payload: _payload, ...rest } = body;
  const fields = submitTaskFieldsSchema.safeParse(JSON.parse(stringify(rest) ?? '{}'));
  if (fields.success) return { fields: fields.data };
  const issue = fields.error.issues[0];
  return { problem: issue?.message ?? 'invalid body' };
};

/**
 * Parses and checks a submission. Errors are one line for the caller.
 * @param body request body as text, at most `MAX_TASK_BODY_BYTES` in UTF-8
 */
export const parseSubmission = (body: string | undefined): Submission => {
  if (body === undefined || body.trim() === '') {
    return invalid('the body is empty; send JSON with workflow_id and payload');
  }
  if (Buffer.byteLength(body) > MAX_TASK_BODY_BYTES) {
    return tooLarge('the body is larger than 4 MB; upload what is embedded in it to ComfyUI instead');
  }
  const read = parseLossless(body);
  if ('problem' in read) return invalid(read.problem);
  if (!isObject(read.value)) return invalid('the body must be a JSON object with workflow_id and payload');
  const fields = readFields(read.value);
  if ('problem' in fields) return invalid(fields.problem);
  const workflow = read.value['payload'];
  const problem = checkWorkflow(workflow);
  if (problem !== undefined) return invalid(problem);
  const workflowText = stringify(workflow) ?? '{}';
  if (Buffer.byteLength(JSON.stringify(workflowText)) > MAX_ESCAPED_WORKFLOW_BYTES) {
    return tooLarge('payload is larger than 5.5 MB with its quotes and backslashes escaped; make it smaller');
  }
  const { workflow_id, priority, session_id, max_retries } = fields.fields;
  return {
    kind: 'ok',
    fields: { workflow_id, priority, session_id, max_retries },
    workflowText,
  };
};
