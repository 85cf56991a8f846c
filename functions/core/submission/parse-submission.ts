/** Reads the body of POST /api/v1/tasks. The workflow stays text: its numbers are never turned into doubles. */
import { stringify } from 'lossless-json';
import { submitTaskFieldsSchema, type SubmitTaskFields } from '../../../shared-types/index.ts';
import { isJsonObject, ownValue, type JsonObject } from '../workflow/json-value.ts';
import { readFields, readObject } from './read-json.ts';
import { refuse, type Refusal } from './refusal.ts';

/** Where the workflow of a submission comes from. */
export type WorkflowSource =
  | {
      readonly kind: 'inline';
      /** As lossless-json read it. */
      readonly value: unknown;
      /** JSON text of it, every digit as it was sent. */
      readonly text: string;
    }
  | { readonly kind: 'file'; readonly fileId: string }
  | { readonly kind: 'stored'; readonly workflowId: string };

export interface Submission {
  readonly kind: 'ok';
  readonly fields: SubmitTaskFields;
  readonly source: WorkflowSource;
  /** Name → value as lossless-json read it. */
  readonly inputs: ReadonlyMap<string, unknown>;
}

const sourceOf = (
  body: JsonObject,
  { payload_file_id: fileId, workflow_id: workflowId }: SubmitTaskFields,
): WorkflowSource | Refusal => {
  if (!Object.hasOwn(body, 'payload')) {
    return fileId === undefined
      ? { kind: 'stored', workflowId }
      : { kind: 'file', fileId: fileId.toLowerCase() };
  }
  if (fileId !== undefined) return refuse(400, 'send payload or payload_file_id, not both');
  const value = ownValue(body, 'payload');
  return { kind: 'inline', value, text: stringify(value) ?? 'null' };
};

/** @param text the decoded body */
export const parseSubmission = (text: string): Submission | Refusal => {
  const read = readObject(text, 'workflow_id and payload');
  if (read.kind === 'refused') return read;
  const { payload: _payload, inputs: _inputs, ...rest } = read.body;
  const fields = readFields(submitTaskFieldsSchema, rest);
  if (fields.kind === 'refused') return fields;
  const inputs = ownValue(read.body, 'inputs') ?? {};
  if (!isJsonObject(inputs)) return refuse(400, 'inputs must be an object: parameter → value');
  const source = sourceOf(read.body, fields.fields);
  if (source.kind === 'refused') return source;
  return { kind: 'ok', fields: fields.fields, source, inputs: new Map(Object.entries(inputs)) };
};
