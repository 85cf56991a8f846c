/** Priority with ageing: who comes first, and from when on. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { queueRank } from './queue-rank.ts';

const at = (ms: number): string => new Date(ms).toISOString();
const NOON = Date.parse('2026-11-22T12:00:00.000Z');
const MINUTE = 60_000;

test('ranks sort as text: by age within a priority, by priority within an age', () => {
  const rank = (ms: number, priority: number): string => queueRank({ queuedAt: at(ms), priority });
  const ordered = [rank(NOON, 10), rank(NOON, 5), rank(NOON + 1, 5), rank(NOON, 0), rank(NOON + 1, 0)];
  expect([...ordered].sort()).toEqual(ordered);
  expect(new Set(ordered.map(({ length }) => length))).toEqual(new Set([15]));
});

test.each([
  [1, 5],
  [10, 50],
])('priority %d passes what has waited for less than %d minutes', (priority, minutes) => {
  const waited = queueRank({ queuedAt: at(NOON), priority: 0 });
  const fresh = (ms: number): string => queueRank({ queuedAt: at(NOON + minutes * MINUTE + ms), priority });
  expect(fresh(-1) < waited).toBe(true);
  expect(fresh(0)).toBe(waited);
  expect(fresh(1) > waited).toBe(true);
});

test('instants with an offset rank as instants', () => {
  const utc = queueRank({ queuedAt: '2026-11-22T10:00:00.000Z', priority: 3 });
  expect(queueRank({ queuedAt: '2026-11-22T12:00:00.000+02:00', priority: 3 })).toBe(utc);
});

test('of two entries of one priority the older always comes first', () => {
  const instant = fc.integer({ min: 0, max: Date.parse('2099-01-01T00:00:00.000Z') });
  fc.assert(
    fc.property(instant, instant, fc.integer({ min: 0, max: 10 }), (one, other, priority) => {
      const [older, newer] = one < other ? [one, other] : [other, one];
      const rank = (ms: number): string => queueRank({ queuedAt: at(ms), priority });
      return rank(older) <= rank(newer);
    }),
  );
});

test.each([
  ['yesterday', 5],
  ['', 5],
  ['2026-11-22T10:00:00.000Z', Number.NaN],
])('no rank for an entry queued at %p with priority %p', (queuedAt, priority) => {
  expect(() => queueRank({ queuedAt, priority })).toThrow(
    expect.objectContaining({ code: 'queue.invalidEntry', retryable: false }),
  );
});
