/** Guards for values as lossless-json reads them: its numbers are objects, and no containers. */
import { isLosslessNumber } from 'lossless-json';

export type JsonObject = Record<string, unknown>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);

/** The member of that name, or undefined; never one of `Object.prototype`. */
export const ownValue = (object: JsonObject, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** The digits of a number as they were written, or undefined for anything else. */
export const numberText = (value: unknown): string | undefined => {
  if (isLosslessNumber(value)) return value.value;
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value))
    ? String(value)
    : undefined;
};
