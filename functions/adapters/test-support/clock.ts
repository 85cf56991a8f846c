/** A clock that stands until it is moved; sleeping moves it. */
import type { Clock, Ids } from '../../core/ports.ts';

export interface FakeClock extends Clock {
  /** Milliseconds slept so far. */
  readonly slept: () => number;
  advance(ms: number): void;
}

/** Starts at 2026-03-01T12:00:00Z. */
export const createFakeClock = (start = Date.UTC(2026, 2, 1, 12)): FakeClock => {
  let now = start;
  let slept = 0;
  return {
    now: () => now,
    slept: () => slept,
    advance: (ms) => {
      now += ms;
    },
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      now += ms;
      slept += ms;
    },
  };
};

/** `00000000-0000-4000-8000-000000000001`, and so on. */
export const createFakeIds = (): Ids => {
  let count = 0;
  return {
    uuid: () => {
      count += 1;
      return `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`;
    },
  };
};
