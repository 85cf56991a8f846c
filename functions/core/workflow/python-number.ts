/** How Python reads numbers: ComfyUI passes values through `int()` and `float()` before it checks their bounds. */
import { numberText } from './json-value.ts';

/** The number; `invalid` for what Python refuses; `unknown` for what only Python can tell. */
export type PythonNumber<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unknown' };

const INVALID = { kind: 'invalid' } as const;
const UNKNOWN = { kind: 'unknown' } as const;

/** Python converts no longer text to an integer. */
const MAX_DIGITS = 4300;

const WHOLE = /^[+-]?\d+(?:_\d+)*$/;
const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const NON_FINITE = /^([+-]?)(?:inf|infinity|nan)$/i;

/** Python also reads the digits and blanks of other scripts. */
const isAscii = (text: string): boolean => /^[\t-\r -~]*$/.test(text);

const toBigInt = (digits: string): PythonNumber<bigint> =>
  digits.length > MAX_DIGITS
    ? INVALID
    : { kind: 'ok', value: BigInt(digits.replaceAll('_', '').replace(/^\+/, '')) };

const truncated = (double: number): PythonNumber<bigint> =>
  Number.isFinite(double) ? { kind: 'ok', value: BigInt(Math.trunc(double)) } : INVALID;

/** `int(value)`: fractions are cut off, texts must be whole numbers. */
export const pythonInt = (value: unknown): PythonNumber<bigint> => {
  if (typeof value === 'boolean') return { kind: 'ok', value: value ? 1n : 0n };
  const digits = numberText(value);
  if (digits !== undefined) return WHOLE.test(digits) ? toBigInt(digits) : truncated(Number(digits));
  if (typeof value !== 'string') return INVALID;
  if (!isAscii(value)) return UNKNOWN;
  const text = value.trim();
  return WHOLE.test(text) ? toBigInt(text) : INVALID;
};

/** `float(value)`: may be NaN or infinite. */
export const pythonFloat = (value: unknown): PythonNumber<number> => {
  if (typeof value === 'boolean') return { kind: 'ok', value: value ? 1 : 0 };
  const digits = numberText(value);
  if (digits !== undefined) return { kind: 'ok', value: Number(digits) };
  if (typeof value !== 'string') return INVALID;
  if (!isAscii(value)) return UNKNOWN;
  const text = value.trim();
  if (DECIMAL.test(text)) return { kind: 'ok', value: Number(text.replaceAll('_', '')) };
  const special = NON_FINITE.exec(text);
  if (special === null) return INVALID;
  const infinite = special[1] === '-' ? -Infinity : Infinity;
  return { kind: 'ok', value: /nan/i.test(text) ? NaN : infinite };
};

/** −1, 0 or 1; 0 as well where either side is NaN, for Python then finds neither less nor greater. */
const order = <Value extends bigint | number>(left: Value, right: Value): number =>
  left < right ? -1 : left > right ? 1 : 0;

/**
 * Compares exactly, also beyond 2^53.
 * @param bound digits of a JSON number
 */
export const compareToBound = (value: bigint | number, bound: string): number => {
  if (typeof value === 'number') return order(value, Number(bound));
  if (/^-?\d+$/.test(bound)) return order(value, BigInt(bound));
  const double = Number(bound);
  if (!Number.isFinite(double)) return order(0, double);
  const whole = BigInt(Math.trunc(double));
  return value === whole ? order(Math.trunc(double), double) : order(value, whole);
};
