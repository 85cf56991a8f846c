/** Concurrency that a seed decides: every call of a port waits until it is let go, one at a time. */
import type { Faults } from './faults.ts';

/** A number from 0 up to `below`, decided by the seed. */
export const createPicker = (seed: number): ((below: number) => number) => {
  let state = seed || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
};

/** Holds every call back, and lets them go one at a time, in an order that the seed decides. */
export const interleave = (faults: Faults, seed: number): void => {
  const pick = createPicker(seed);
  const waiting: (() => void)[] = [];
  let running = false;
  const letOneGo = (): void => {
    const [next] = waiting.splice(pick(waiting.length), 1);
    next?.();
    running = waiting.length > 0;
    if (running) setImmediate(letOneGo);
  };
  faults.interleave(
    () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (!running) setImmediate(letOneGo);
        running = true;
      }),
  );
};
