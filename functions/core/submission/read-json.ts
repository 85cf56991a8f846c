/** JSON as text from strangers. Numbers are never turned into doubles: they stay as they were written. */
import { parse, stringify } from 'lossless-json';
import type * as z from 'zod';
import { isJsonObject, type JsonObject } from '../workflow/json-value.ts';
import { refuse, type Refusal } from './refusal.ts';

/**
 * Each number becomes an object of a hundred bytes: ten megabytes of `1,1,1…` would be more than a gigabyte. A workflow
 * of ten thousand nodes has a tenth of this.
 */
const MAX_VALUES = 1_000_000;

/** At least as many as there are values, for commas in texts count as well. */
const hasTooManyValues = (text: string): boolean => {
  let commas = 0;
  for (let at = text.indexOf(','); at >= 0 && commas <= MAX_VALUES; at = text.indexOf(',', at + 1))
    commas += 1;
  return commas > MAX_VALUES;
};

/** @param what names the text in messages: `the body` */
export const readJson = (
  text: string,
  what: string,
): { readonly kind: 'ok'; readonly value: unknown } | Refusal => {
  if (hasTooManyValues(text)) return refuse(413, `${what} holds more than a million values; make it smaller`);
  try {
    return { kind: 'ok', value: parse(text) };
  } catch (error) {
    if (error instanceof RangeError) return refuse(400, `${what} is nested too deeply`);
    const reason = error instanceof Error ? error.message.slice(0, 120) : 'not JSON';
    return refuse(400, `${what} is not valid JSON (${reason})`);
  }
};

/** @param example what a body holds: `workflow_id and payload` */
export const readObject = (
  text: string,
  example: string,
): { readonly kind: 'ok'; readonly body: JsonObject } | Refusal => {
  if (text.trim() === '') return refuse(400, `the body is empty; send JSON with ${example}`);
  const read = readJson(text, 'the body');
  if (read.kind === 'refused') return read;
  return isJsonObject(read.value)
    ? { kind: 'ok', body: read.value }
    : refuse(400, `the body must be a JSON object with ${example}`);
};

/** Small fields, which may pass through ordinary numbers. The first thing that is wrong is said. */
export const readFields = <S extends z.ZodType>(
  schema: S,
  fields: JsonObject,
): { readonly kind: 'ok'; readonly fields: z.infer<S> } | Refusal => {
  const read = schema.safeParse(JSON.parse(stringify(fields) ?? '{}'));
  if (read.success) return { kind: 'ok', fields: read.data };
  const issue = read.error.issues[0];
  const message = issue?.message ?? 'invalid body';
  return refuse(400, message.startsWith('Invalid') ? `${issue?.path.join('.') ?? ''}: ${message}` : message);
};
