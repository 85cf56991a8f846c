import { expect, test } from '@jest/globals';
import { commitmentOf, committedToday, costOfDay, fitsBudget } from './budget.ts';
import { makeInstance } from './test-support/fixtures.ts';

const at = (iso: string): number => Date.parse(iso);
const DAY = at('2026-11-22T00:00:00.000Z');
const NOW = at('2026-11-22T12:00:00.000Z');

test('what ended cost what it cost; what lives is counted to the end of its lease', () => {
  const ended = makeInstance({ endedAt: '2026-11-22T11:00:00.000Z', condition: 'ended' });
  expect(committedToday([ended], NOW)).toBeCloseTo(0.5);
  expect(committedToday([makeInstance()], NOW)).toBeCloseTo(2);
});

test('one that outlives its lease is counted to now', () => {
  expect(committedToday([makeInstance()], at('2026-11-22T16:00:00.000Z'))).toBeCloseTo(3);
});

test('a day is charged with its own hours only', () => {
  const over = makeInstance({
    createdAt: '2026-11-21T22:00:00.000Z',
    launchedAt: '2026-11-21T22:00:00.000Z',
    leaseUntil: '2026-11-22T02:00:00.000Z',
  });
  const commitments = [commitmentOf(over, at('2026-11-21T23:00:00.000Z'))];
  expect(costOfDay(commitments, DAY - 86_400_000)).toBeCloseTo(1);
  expect(costOfDay(commitments, DAY)).toBeCloseTo(1);
});

test('a launch before midnight must fit tomorrow too', () => {
  const from = at('2026-11-22T23:30:00.000Z');
  const added = { from, until: from + 4 * 3_600_000, pricePerHour: 1 };
  expect(fitsBudget([], added, 3.5)).toBe(true);
  expect(fitsBudget([], added, 3.4)).toBe(false);
  expect(fitsBudget([], added, null)).toBe(true);
  expect(fitsBudget([], added, 0)).toBe(false);
});
