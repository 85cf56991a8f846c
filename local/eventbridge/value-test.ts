/**
 * Tests of one leaf value of an event: the comparison operators of an event pattern.
 * Source of the semantics: AWS "Comparison operators for use in event patterns in Amazon EventBridge" and the
 * documented behaviour of the open source rule engine behind it.
 */
import type { LeafTest } from './leaf-test.ts';
import { cidrTest, ipEqualsTest } from './ip-range.ts';
import { numericRange, quantize } from './numeric-range.ts';
import { EventPatternError } from './event-pattern-error.ts';
import { parseWildcard } from './wildcard.ts';

/** What one entry of a pattern array asks: a test of a present value, or that no value is there. */
export type ValueTest = { readonly kind: 'present'; readonly test: LeafTest } | { readonly kind: 'absent' };

const onText =
  (test: (text: string) => boolean): LeafTest =>
  (value) =>
    typeof value === 'string' && test(value);

/** Parses one entry of a pattern array. Throws `EventPatternError` naming operator and field. */
export function parseValueTest(entry: unknown, path: string): ValueTest {
  if (entry === null || typeof entry === 'boolean' || typeof entry === 'number') {
    return present((value) => value === entry);
  }
  if (typeof entry === 'string') return present(exactText(entry));
  if (Array.isArray(entry)) {
    throw new EventPatternError('Match value must be String, number, true, false, or null', path);
  }
  const [operator, operand] = onlyEntry(entry, path);
  if (operator === 'exists') return existsTest(operand, path);
  return present(operatorTest(operator, operand, path));
}

function present(test: LeafTest): ValueTest {
  return { kind: 'present', test };
}

function exactText(text: string): LeafTest {
  return ipEqualsTest(text) ?? ((value) => value === text);
}

function existsTest(operand: unknown, path: string): ValueTest {
  if (operand === true) return present(() => true);
  if (operand === false) return { kind: 'absent' };
  throw new EventPatternError('exists match pattern must be either true or false.', path);
}

function operatorTest(operator: string, operand: unknown, path: string): LeafTest {
  switch (operator) {
    case 'exactly':
      return exactText(textOf(operator, operand, path));
    case 'prefix':
      return onText(affixTest(operator, operand, path));
    case 'suffix':
      return onText(affixTest(operator, operand, path));
    case 'equals-ignore-case':
      return onText(ignoringCase(textOf(operator, operand, path)));
    case 'wildcard':
      return onText(parseWildcard(textOf(operator, operand, path), path));
    case 'numeric':
      return numericRange(operand, path);
    case 'cidr':
      return onText(cidrTest(textOf(operator, operand, path), path));
    case 'anything-but':
      return anythingBut(operand, path);
    default:
      throw new EventPatternError(`Unrecognized match type ${operator}`, path);
  }
}

function affixTest(operator: 'prefix' | 'suffix', operand: unknown, path: string) {
  const fits = operator === 'prefix' ? startsWith : endsWith;
  if (typeof operand === 'string') return (text: string) => fits(text, operand);
  const [inner, value] = onlyEntry(operand, path, `${operator} match pattern must be a string`);
  if (inner !== 'equals-ignore-case')
    throw new EventPatternError(`Unsupported ${operator} pattern: ${inner}`, path);
  const folded = fold(textOf(inner, value, path));
  return (text: string) => fits(fold(text), folded);
}

/** Everything but what is named, of whatever type: null, booleans and the other kind of value match too. */
function anythingBut(operand: unknown, path: string): LeafTest {
  if (typeof operand === 'string' || typeof operand === 'number') return noneOf([operand], path);
  if (Array.isArray(operand)) return noneOf(operand, path);
  const [operator, values] = onlyEntry(
    operand,
    path,
    'anything-but must be a string, number, list or pattern',
  );
  const texts = Array.isArray(values) ? values : [values];
  if (texts.length === 0) throw new EventPatternError('Empty arrays are not allowed in anything-but', path);
  const refused = texts.map((text) => anythingButOperator(operator, text, path));
  return (value) => typeof value !== 'string' || !refused.some((matches) => matches(value));
}

function anythingButOperator(operator: string, operand: unknown, path: string): (text: string) => boolean {
  if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(operator)) {
    throw new EventPatternError(`Unsupported anything-but pattern: ${operator}`, path);
  }
  const text = textOf(operator, operand, path);
  if (operator === 'equals-ignore-case') return ignoringCase(text);
  if (operator === 'wildcard') return parseWildcard(text, path);
  if (text === '') throw new EventPatternError('Null prefix/suffix not allowed in anything-but', path);
  return operator === 'prefix' ? (value) => startsWith(value, text) : (value) => endsWith(value, text);
}

function noneOf(values: readonly unknown[], path: string): LeafTest {
  if (values.length > 0 && values.every((value) => typeof value === 'string')) {
    const refused = new Set<unknown>(values);
    return (value) => !refused.has(value);
  }
  if (values.length > 0 && values.every((value) => typeof value === 'number')) {
    const refused = new Set(values.map((value) => quantize(value, path)));
    return (value) => typeof value !== 'number' || !refused.has(quantize(value));
  }
  throw new EventPatternError('Inside anything-but list, either all values are number or string', path);
}

const startsWith = (text: string, prefix: string): boolean => text.startsWith(prefix);
const endsWith = (text: string, suffix: string): boolean => text.endsWith(suffix);
const fold = (text: string): string => text.toLowerCase();

function ignoringCase(expected: string): (text: string) => boolean {
  const folded = fold(expected);
  return (text) => fold(text) === folded;
}

function textOf(operator: string, operand: unknown, path: string): string {
  if (typeof operand === 'string') return operand;
  throw new EventPatternError(`${operator} match pattern must be a string`, path);
}

function onlyEntry(
  value: unknown,
  path: string,
  otherwise = 'Match expression name not found',
): [string, unknown] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new EventPatternError(otherwise, path);
  const entries = Object.entries(value);
  const first = entries[0];
  if (first === undefined) throw new EventPatternError('Match expression name not found', path);
  if (entries.length > 1) throw new EventPatternError('Only one key allowed in match expression', path);
  return first;
}
