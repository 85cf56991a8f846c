import { describe, expect, test } from '@jest/globals';
import { simulateScaling, type SimulatedTask } from '../../adapters/test-support/scaling-simulation.ts';
import { makePool } from './test-support/fixtures.ts';

const HOUR = 3600;

/** One task every so many seconds. */
const everySeconds = (gap: number, seconds: number, hours: number): readonly SimulatedTask[] =>
  Array.from({ length: Math.floor((hours * HOUR) / gap) }, (_, at) => ({
    at: at * gap,
    seconds,
    userId: 'u',
  }));

const simulate = (tasks: readonly SimulatedTask[], pool: Readonly<Record<string, unknown>> = {}) =>
  simulateScaling({
    tasks,
    seconds: 6 * HOUR,
    pricePerHour: 0.5,
    bootSeconds: () => 180,
    prefetchDepth: 1,
    workers: makePool({ max: 12, leaseMinutes: 1440, ...pool }),
  });

describe('a load that does not change', () => {
  test.each([
    ['half a worker', 120, 60],
    ['just one worker', 60, 58],
    ['between one and two', 50, 60],
    ['three and a half', 20, 70],
    ['six', 10, 60],
    ['long tasks', 300, 900],
  ])(
    '%s: after a while the pool does not change either, and nobody waits long',
    async (_what, gap, seconds) => {
      const { changes, waits, interrupted } = await simulate(everySeconds(gap, seconds, 6));
      expect(changes.filter(({ at }) => at > 3 * HOUR && at < 6 * HOUR)).toEqual([]);
      expect(interrupted).toBe(0);
      expect(waits.at(-1)).toBeLessThan(1200);
    },
  );

  test('leases end in it, and no task is lost by that', async () => {
    const { interrupted, launches, waits } = await simulate(everySeconds(20, 70, 6), { leaseMinutes: 60 });
    expect(launches).toBeGreaterThan(15);
    expect(interrupted).toBe(0);
    expect(waits.at(-1)).toBeLessThan(1200);
  });

  test('workers that are all a little busy become fewer', async () => {
    const { costUsd, changes } = await simulate(everySeconds(50, 25, 6));
    expect(changes.some(({ code }) => code === 'scaling.draining')).toBe(true);
    expect(costUsd).toBeLessThan(6.8 * 0.5);
  });

  test('after the last task a pool of min 0 costs nothing more', async () => {
    const tasks = everySeconds(50, 25, 1);
    const { costUsd } = await simulate(tasks);
    expect(costUsd).toBeLessThan(1.8 * 0.5);
  });
});
