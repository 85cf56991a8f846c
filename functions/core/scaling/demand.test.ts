import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { heldMsOf, workersNeeded, type Demand } from './demand.ts';

const demand = (overrides: Partial<Demand> = {}): Demand => ({
  waiting: [],
  heldMs: 0,
  busy: 0,
  targetMs: 120_000,
  ...overrides,
});
const group = (count: number, seconds: number, allowed = 100) => ({
  userId: 'u',
  count,
  expectedMs: seconds * 1000,
  allowed,
});

test.each([
  ['nothing waits', demand({ heldMs: 9e6, busy: 3 }), 0],
  ['one task and nobody', demand({ waiting: [group(1, 60)] }), 1],
  ['four of a minute in two minutes', demand({ waiting: [group(4, 60)] }), 2],
  ['work in hand counts', demand({ waiting: [group(4, 60)], heldMs: 120_000, busy: 2 }), 3],
  ['no more than tasks: a task is not divided', demand({ waiting: [group(2, 3600)] }), 2],
  ['no more than the user may have', demand({ waiting: [group(50, 600, 3)], busy: 1 }), 4],
])('%s', (_what, asked, needed) => {
  expect(workersNeeded(asked)).toBe(needed);
});

/** What becomes of it: the tasks in order, each on the worker that is free first. */
const lastStart = (durations: readonly number[], workers: number): number => {
  const freeAt = Array.from({ length: workers }, () => 0);
  let last = 0;
  for (const duration of durations) {
    const at = freeAt.indexOf(Math.min(...freeAt));
    last = Math.max(last, freeAt[at]!);
    freeAt[at]! += duration;
  }
  return last;
};

test('with as many workers no task of equal tasks starts after the target, unless each has its own', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 900 }),
      fc.integer({ min: 1, max: 900 }),
      (count, seconds, target) => {
        const asked = demand({ waiting: [group(count, seconds, 1000)], targetMs: target * 1000 });
        const workers = workersNeeded(asked);
        const durations = Array.from({ length: count }, () => seconds);
        expect(workers).toBeLessThanOrEqual(count);
        expect(lastStart(durations, workers)).toBeLessThanOrEqual(target);
      },
    ),
  );
});

test('what is held: the rest of the first, all of those behind it, and a late one may end any time', () => {
  const now = Date.parse('2026-11-22T10:00:50.000Z');
  const held = (jobId: string, assignedAt: string) => ({ jobId, attempt: 1, userId: 'u', assignedAt });
  const expected = (): number => 60_000;
  const first = held('a', '2026-11-22T10:00:00.000Z');
  expect(heldMsOf({ held: [first] }, expected, now)).toBe(10_000);
  expect(heldMsOf({ held: [first, held('b', '2026-11-22T10:00:00.000Z')] }, expected, now)).toBe(70_000);
  expect(heldMsOf({ held: [held('a', '2026-11-22T09:00:00.000Z')] }, expected, now)).toBe(6000);
});
