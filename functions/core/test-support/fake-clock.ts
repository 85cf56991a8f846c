/** Time that passes only when a test, or a sleep, says so. */
import type { Clock } from '../ports.ts';

export interface FakeClock extends Clock {
  /** Moves time on by `ms`. */
  advance(ms: number): void;
  /** ISO 8601 of now, or of `ms` from now. */
  iso(ms?: number): string;
  /** How long each sleep was, in milliseconds. */
  readonly sleeps: readonly number[];
}

/** A sleep takes no time at all: it moves the clock and is over. */
export const createFakeClock = (start = '2026-11-22T10:00:00.000Z'): FakeClock => {
  let now = Date.parse(start);
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
    iso: (ms = 0) => new Date(now + ms).toISOString(),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      sleeps.push(ms);
      now += ms;
    },
  };
};
