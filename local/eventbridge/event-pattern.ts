/**
 * Event patterns of EventBridge: compiled once, matched often, pure.
 * A pattern becomes a list of branches (one per `$or` combination); a branch is a list of fields that must all
 * hold in array-consistent elements of the event.
 */
import { consistent, membershipKey, readFields } from './event-fields.ts';
import type { FieldValue, Membership } from './event-fields.ts';
import { EventPatternError } from './event-pattern-error.ts';
import { parseValueTest } from './value-test.ts';
import type { ValueTest } from './value-test.ts';

/** A compiled pattern. `matches` never throws, whatever JSON value it is given. */
export interface EventPattern {
  matches(event: unknown): boolean;
}

type Branch = ReadonlyMap<string, readonly ValueTest[]>;
type FieldTests = readonly (readonly [string, readonly ValueTest[]])[];

const MAX_BRANCHES = 1000;
const MAX_PATTERN_LENGTH = 4096;
/** Words that may not name a field inside `$or`: there they can only be a misplaced operator. */
const RESERVED_IN_OR = new Set(
  'exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex'.split(
    ' ',
  ),
);

/** Compiles a pattern given as JSON text. Throws `EventPatternError` for text that is not a pattern. */
export function compileEventPatternText(text: string): EventPattern {
  if (text.length > MAX_PATTERN_LENGTH) {
    throw new EventPatternError(`the pattern is longer than ${MAX_PATTERN_LENGTH} characters`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new EventPatternError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return compileEventPattern(parsed);
}

/** Compiles a parsed pattern. Throws `EventPatternError` naming the operator and field that AWS would refuse. */
export function compileEventPattern(pattern: unknown): EventPattern {
  if (!isObject(pattern)) throw new EventPatternError('Filter is not an object');
  const branches = parseObject(pattern, '', [new Map()], false).map(sortedByName);
  const wanted = new Set(branches.flatMap((branch) => branch.flatMap(([name]) => dottedPrefixes(name))));
  return {
    matches(event) {
      if (!isObject(event)) return false;
      const fields = readFields(event, wanted);
      return branches.some((branch) => branchMatches(branch, fields));
    },
  };
}

function parseObject(
  source: object,
  path: string,
  known: readonly Branch[],
  insideOr: boolean,
): readonly Branch[] {
  const entries = Object.entries(source);
  if (entries.length === 0) throw new EventPatternError('Empty objects are not allowed', path);
  let branches = known;
  for (const [key, value] of entries) branches = parseMember(key, value, path, branches, insideOr);
  return branches;
}

function parseMember(
  key: string,
  value: unknown,
  parent: string,
  known: readonly Branch[],
  insideOr: boolean,
) {
  if (key === '$or') return parseOr(value, parent, known);
  const path = parent === '' ? key : `${parent}.${key}`;
  if (insideOr && RESERVED_IN_OR.has(key)) {
    throw new EventPatternError(`${key} is a reserved field name which cannot be used inside $or`, path);
  }
  if (Array.isArray(value)) return withField(known, path, value);
  if (isObject(value)) return parseObject(value, path, known, insideOr);
  throw new EventPatternError(`"${key}" must be an object or an array`, path);
}

function parseOr(value: unknown, path: string, known: readonly Branch[]): readonly Branch[] {
  if (!Array.isArray(value)) throw new EventPatternError('It must be an Array followed with $or.', path);
  if (value.length < 2) {
    throw new EventPatternError('There must have at least 2 Objects in $or relationship.', path);
  }
  const branches = value.flatMap((option: unknown) => {
    if (isObject(option)) return parseObject(option, path, known, true);
    throw new EventPatternError('Only JSON object is allowed in array of $or relationship.', path);
  });
  if (branches.length > MAX_BRANCHES) {
    throw new EventPatternError(`$or gives ${branches.length} combinations, more than ${MAX_BRANCHES}`, path);
  }
  return branches;
}

function withField(known: readonly Branch[], path: string, entries: readonly unknown[]): readonly Branch[] {
  if (entries.length === 0) throw new EventPatternError('Empty arrays are not allowed', path);
  const tests = entries.map((entry) => parseValueTest(entry, path));
  return known.map((branch) => {
    if (branch.has(path)) throw new EventPatternError('Path cannot be allowed multiple times', path);
    return new Map([...branch, [path, tests]]);
  });
}

/** Fields are tried in the order of their names: what is absent is judged within the elements chosen before it. */
function sortedByName(branch: Branch): FieldTests {
  return [...branch].sort(([one], [other]) => (one < other ? -1 : 1));
}

function dottedPrefixes(name: string): string[] {
  const steps = name.split('.');
  return steps.map((_, index) => steps.slice(0, index + 1).join('.'));
}

function branchMatches(branch: FieldTests, fields: ReadonlyMap<string, FieldValue[]>): boolean {
  let states: readonly Membership[] = [new Map()];
  for (const [name, tests] of branch) {
    states = advance(states, tests, fields.get(name) ?? []);
    if (states.length === 0) return false;
  }
  return true;
}

/** Every choice of array elements that is still possible after this field. */
function advance(states: readonly Membership[], tests: readonly ValueTest[], values: readonly FieldValue[]) {
  const passing = values.filter(({ value }) =>
    tests.some((one) => one.kind === 'present' && one.test(value)),
  );
  const mayBeAbsent = tests.some((one) => one.kind === 'absent');
  const next = new Map<string, Membership>();
  for (const state of states) {
    if (mayBeAbsent && !values.some((field) => consistent(state, field.membership))) {
      next.set(membershipKey(state), state);
    }
    for (const field of passing) {
      const joined = consistent(state, field.membership);
      if (joined) next.set(membershipKey(joined), joined);
    }
  }
  return [...next.values()];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
