import type { Leaf } from './leaf-test.ts';

/** Which element of which array (by its number in this event) a value stands in. */
export type Membership = ReadonlyMap<number, number>;

export interface FieldValue {
  readonly value: Leaf;
  readonly membership: Membership;
}

interface Step {
  readonly value: unknown;
  readonly depth: number;
  readonly path: string;
  readonly membership: Membership;
}

/** As deep as the JSON reader of the service goes; what lies deeper is not seen by a pattern. */
export const MAX_DEPTH = 1000;
const NO_ARRAY: Membership = new Map();

/**
 * The leaf values of an event by dotted path, arrays crushed out but remembered as membership.
 * Walks with a stack of its own, so no depth of nesting overflows.
 */
export function readFields(event: unknown, wanted: ReadonlySet<string>): ReadonlyMap<string, FieldValue[]> {
  const fields = new Map<string, FieldValue[]>();
  const steps: Step[] = [{ value: event, depth: 0, path: '', membership: NO_ARRAY }];
  let arrays = 0;
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    if (step.depth > MAX_DEPTH) continue;
    if (Array.isArray(step.value)) {
      pushElements(steps, step, step.value, arrays++);
    } else if (typeof step.value === 'object' && step.value !== null) {
      pushMembers(steps, step, step.value, wanted);
    } else if (step.path !== '') {
      const values = fields.get(step.path) ?? [];
      values.push({ value: step.value as Leaf, membership: step.membership });
      fields.set(step.path, values);
    }
  }
  return fields;
}

/** Only objects and arrays are told apart by element: plain values of one array may match different fields. */
function pushElements(steps: Step[], step: Step, elements: readonly unknown[], array: number): void {
  elements.forEach((value, index) => {
    const inside = typeof value === 'object' && value !== null;
    const membership = inside ? new Map(step.membership).set(array, index) : step.membership;
    steps.push({ value, depth: step.depth + 1, path: step.path, membership });
  });
}

function pushMembers(steps: Step[], step: Step, members: object, wanted: ReadonlySet<string>): void {
  for (const [key, value] of Object.entries(members)) {
    const path = step.path === '' ? key : `${step.path}.${key}`;
    if (wanted.has(path)) steps.push({ value, depth: step.depth + 1, path, membership: step.membership });
  }
}

/** Both memberships in one, or undefined when they name different elements of the same array. */
export function consistent(one: Membership, other: Membership): Membership | undefined {
  if (other.size === 0) return one;
  for (const [array, index] of other) {
    const known = one.get(array);
    if (known !== undefined && known !== index) return undefined;
  }
  return one.size === 0 ? other : new Map([...one, ...other]);
}

export function membershipKey(membership: Membership): string {
  return [...membership]
    .map(([array, index]) => `${array}:${index}`)
    .sort()
    .join();
}
