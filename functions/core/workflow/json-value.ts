/** Guards for values as lossless-json reads them: its numbers are objects, and no containers. */
import { isLosslessNumber, parse } from 'lossless-json';

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

/** Like an assignment, but for `__proto__` as well. */
export const setOwn = (object: JsonObject, key: string, value: unknown): void => {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
};

/** The object in the text, numbers with all their digits; undefined for any other text. Never throws. */
export const parseJsonObject = (text: string): JsonObject | undefined => {
  try {
    const value = parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

/** The value of a widget: ComfyUI lets it be wrapped, so that a list is not taken for a link. */
export const unwrapped = (value: unknown): unknown =>
  isJsonObject(value) && Object.hasOwn(value, '__value__') ? ownValue(value, '__value__') : value;
