import type { Schedule } from './schedule-expression.ts';

/** setTimeout takes 31 bits; a longer wait is made of several. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/**
 * Fires schedules. `scale` 1 is real time, 60 lets an hour pass in a minute: expressions are then read
 * against a clock that starts now and runs that much faster.
 */
export class ScheduleTimers {
  readonly #scale: number;
  readonly #startedAt = Date.now();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(scale: number) {
    this.#scale = scale;
  }

  start(schedule: Schedule, fire: (at: Date) => void): void {
    this.#plan(schedule, this.#now(), fire);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #now(): Date {
    return new Date(this.#startedAt + (Date.now() - this.#startedAt) * this.#scale);
  }

  #plan(schedule: Schedule, after: Date, fire: (at: Date) => void): void {
    const at = schedule.next(after);
    if (at === undefined) return;
    this.#sleepUntil(at, () => {
      fire(at);
      this.#plan(schedule, at, fire);
    });
  }

  #sleepUntil(at: Date, wake: () => void): void {
    if (this.#closed) return;
    const waitMs = (at.getTime() - this.#now().getTime()) / this.#scale;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (waitMs > MAX_TIMEOUT_MS) this.#sleepUntil(at, wake);
        else wake();
      },
      Math.min(Math.max(waitMs, 0), MAX_TIMEOUT_MS),
    );
    this.#timers.add(timer);
  }
}
