/** Answers and bodies as the functions of the task API share them. */
import type * as z from 'zod';
import { decodeBody } from '../../core/submission/decode-body.ts';
import { readFields, readObject } from '../../core/submission/read-json.ts';
import type { Refusal } from '../../core/submission/refusal.ts';
import type { HttpReply, HttpRequest } from './http-handler.ts';

export const jsonReply = (status: number, value: unknown): HttpReply => ({
  status,
  body: JSON.stringify(value),
});

const nodeErrorsView = (nodeErrors: NonNullable<Refusal['nodeErrors']>) =>
  Object.fromEntries(
    Object.entries(nodeErrors).map(([nodeId, { classType, errors }]) => [
      nodeId,
      { class_type: classType, errors },
    ]),
  );

/** `{error}`, and `{error, node_errors}` where a workflow is at fault. */
export const refusalReply = ({ status, message, nodeErrors }: Refusal): HttpReply =>
  jsonReply(status, {
    error: message,
    ...(nodeErrors === undefined ? {} : { node_errors: nodeErrorsView(nodeErrors) }),
  });

/** The body as text, whatever its encoding. */
export const readText = ({ rawBody, headers }: HttpRequest): ReturnType<typeof decodeBody> =>
  decodeBody(rawBody, headers['content-encoding']);

/**
 * A small body of ordinary values.
 * @param example what such a body holds: `priority`
 * @param whenEmpty stands for an empty body, where that is allowed
 */
export const readBody = async <S extends z.ZodType>(
  request: HttpRequest,
  schema: S,
  example: string,
  whenEmpty?: string,
): Promise<{ readonly kind: 'ok'; readonly fields: z.infer<S> } | Refusal> => {
  const decoded = await readText(request);
  if (decoded.kind === 'refused') return decoded;
  const isEmpty = decoded.text.trim() === '';
  const read = readObject(isEmpty ? (whenEmpty ?? '') : decoded.text, example);
  return read.kind === 'refused' ? read : readFields(schema, read.body);
};
