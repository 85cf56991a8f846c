import { EventPatternError } from './event-pattern-error.ts';
import type { LeafTest } from './leaf-test.ts';

const LIMIT = 5e9;
const PRECISION = 1e6;

type Bound = { readonly value: number; readonly open: boolean };

/**
 * A number as EventBridge compares it: six digits after the decimal point, within ±5.0e9.
 * A value out of range answers NaN (an event) or throws (a pattern, when `path` is given).
 */
export function quantize(value: number, path?: string): number {
  if (value >= -LIMIT && value <= LIMIT) return Math.trunc((value + LIMIT) * PRECISION);
  if (path === undefined) return Number.NaN;
  throw new EventPatternError(`Value must be between ${-LIMIT} and ${LIMIT}, inclusive`, path);
}

/** `["=", n]`, `["<", n]`, `[">", a, "<=", b]`: works on JSON numbers only, never on text that looks like one. */
export function numericRange(operand: unknown, path: string): LeafTest {
  if (!Array.isArray(operand)) throw new EventPatternError('Value of numeric must be an array.', path);
  const [operator, ...rest] = operand as unknown[];
  switch (operator) {
    case '=':
      return equalTo(onlyNumber('equals', rest, path));
    case '<':
    case '<=':
      return within(undefined, { value: onlyNumber(operator, rest, path), open: operator === '<' });
    case '>':
    case '>=':
      return fromBottom(operator, rest, path);
    default:
      throw new EventPatternError(`Unrecognized numeric range operator: ${String(operator)}`, path);
  }
}

function fromBottom(operator: '>' | '>=', rest: readonly unknown[], path: string): LeafTest {
  const [value, ...top] = rest;
  const bottom = { value: numberOf(operator, value, path), open: operator === '>' };
  if (top.length === 0) return within(bottom, undefined);
  const [topOperator, ...topValue] = top;
  if (topOperator !== '<' && topOperator !== '<=') {
    throw new EventPatternError(`Bad numeric range operator: ${String(topOperator)}`, path);
  }
  const upper = { value: onlyNumber(topOperator, topValue, path), open: topOperator === '<' };
  if (bottom.value >= upper.value) throw new EventPatternError('Bottom must be less than top', path);
  return within(bottom, upper);
}

function equalTo(expected: number): LeafTest {
  return (value) => typeof value === 'number' && quantize(value) === expected;
}

function within(bottom: Bound | undefined, top: Bound | undefined): LeafTest {
  return (value) => {
    if (typeof value !== 'number') return false;
    const number = quantize(value);
    if (Number.isNaN(number)) return false;
    const aboveBottom = !bottom || (bottom.open ? number > bottom.value : number >= bottom.value);
    return aboveBottom && (!top || (top.open ? number < top.value : number <= top.value));
  };
}

function onlyNumber(operator: string, rest: readonly unknown[], path: string): number {
  if (rest.length > 1) throw new EventPatternError('Too many terms in numeric range expression', path);
  return numberOf(operator, rest[0], path);
}

function numberOf(operator: string, value: unknown, path: string): number {
  if (typeof value !== 'number') throw new EventPatternError(`Value of ${operator} must be numeric`, path);
  return quantize(value, path);
}
