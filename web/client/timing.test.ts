import { expect, test } from '@jest/globals';
import { DEFAULT_TIMING, reconnectDelay } from './timing.ts';

const delays = (random: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 1000].map((failures) => reconnectDelay(failures, DEFAULT_TIMING, () => random));

test('the longest wait doubles from a quarter of a second up to ten', () => {
  expect(delays(1)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('the whole of the wait is jitter', () => {
  expect(delays(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(reconnectDelay(3, DEFAULT_TIMING, () => 0.5)).toBe(1000);
});
