/**
 * JSON as the pod reads and writes it: numbers keep their digits (a seed of 2^64-1 survives), output has a
 * space after `,` and `:`, escapes everything beyond ASCII, and writes bare `NaN` and `Infinity`.
 * Source: the raw frames in test/fixtures/comfyui-recordings.
 */
import { LosslessNumber, isLosslessNumber, parse } from 'lossless-json';

export type JsonObject = Record<string, unknown>;

const MAX_DEPTH = 400;

/** @throws SyntaxError when the text is no JSON; RangeError when it nests deeper than 400 levels. */
export function parseJson(text: string): unknown {
  const value = parse(text, null, { onDuplicateKey: ({ newValue }) => newValue });
  assertDepth(value, 0);
  return value;
}

function assertDepth(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError('JSON nests too deep');
  if (Array.isArray(value)) {
    for (const item of value) assertDepth(item, depth + 1);
  } else if (isJsonObject(value)) {
    for (const item of Object.values(value)) assertDepth(item, depth + 1);
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

export function isNumeric(value: unknown): value is LosslessNumber | number {
  return typeof value === 'number' || isLosslessNumber(value);
}

/** The value as a double; digits beyond 2^53 are lost. NaN when it is no number. */
export function toDouble(value: unknown): number {
  if (typeof value === 'number') return value;
  return isLosslessNumber(value) ? Number(value.value) : Number.NaN;
}

/** A number that always shows a fraction, as `8.0`. */
export function pyFloat(value: number): LosslessNumber | number {
  if (!Number.isFinite(value)) return value;
  return new LosslessNumber(floatText(value));
}

/** A whole number that keeps all its digits. */
export function pyInt(value: bigint): LosslessNumber {
  return new LosslessNumber(value.toString());
}

function floatText(value: number): string {
  const size = Math.abs(value);
  const exponential = size !== 0 && (size >= 1e16 || size < 1e-4);
  if (!exponential) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const digits = exponent.slice(1).padStart(2, '0');
  return `${mantissa}e${exponent[0] ?? '+'}${digits}`;
}

export function dumps(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (isLosslessNumber(value)) return value.value;
  if (Array.isArray(value)) return `[${value.map(dumps).join(', ')}]`;
  if (value instanceof Map) return members(value.entries());
  return members(Object.entries(value as JsonObject));
}

function members(entries: Iterable<[unknown, unknown]>): string {
  const parts: string[] = [];
  for (const [key, item] of entries) {
    if (item !== undefined) parts.push(`${quote(String(key))}: ${dumps(item)}`);
  }
  return `{${parts.join(', ')}}`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The same value in plain objects, arrays and doubles. */
export function toPlain(value: unknown): unknown {
  if (isLosslessNumber(value)) return toDouble(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Map) return plainEntries(value.entries());
  return isJsonObject(value) ? plainEntries(Object.entries(value)) : value;
}

function plainEntries(entries: Iterable<[unknown, unknown]>): JsonObject {
  return Object.fromEntries([...entries].map(([key, item]) => [String(key), toPlain(item)]));
}

/** How Python would print the value inside a message: single quotes, `True`, `None`. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return reprText(value);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (isLosslessNumber(value)) return value.value;
  if (isJsonObject(value)) return reprDict(value);
  return typeof value === 'number' ? String(value) : dumps(value);
}

function reprText(value: string): string {
  const marks = value.includes("'") && !value.includes('"') ? '"' : "'";
  const body = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return marks + (marks === "'" ? body.replaceAll("'", "\\'") : body) + marks;
}

function reprDict(value: JsonObject): string {
  const items = Object.entries(value).map(([key, item]) => `${reprText(key)}: ${pythonRepr(item)}`);
  return `{${items.join(', ')}}`;
}
