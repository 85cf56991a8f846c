/**
 * Events that wait to be sent, one line per job attempt. Only the head of a line may go, so a later event never
 * overtakes its earlier one; lines do not wait for each other.
 */
import type { MonitorEvent } from '../core/monitor-state.ts';
import { isTransient } from './spool.ts';

const MAX_ENTRIES = 10;
const MAX_CALL_BYTES = 256 * 1024;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_THROTTLED_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const THROTTLED = /Throttl|TooManyRequests|LimitExceeded/;

interface Line {
  readonly key: string;
  readonly waiting: MonitorEvent[];
  /** Milliseconds since the epoch. */
  notBefore: number;
  tries: number;
  /** Its head must travel alone: a whole call was refused and it may be the reason. */
  alone: boolean;
}

/** The head of one line, on its way. */
export interface Departure {
  readonly line: Line;
  readonly event: MonitorEvent;
}

const lineKey = ({ detail }: MonitorEvent): string =>
  detail.jobId === null ? 'monitor' : JSON.stringify([detail.jobId, detail.attempt]);

/** Full jitter over a doubling bound; longer where the service asked for patience. `random` yields [0, 1). */
export const retryDelay = (tries: number, throttled: boolean, random: () => number): number =>
  random() *
  Math.min((throttled ? BACKOFF_THROTTLED_MS : BACKOFF_FIRST_MS) * 2 ** Math.min(tries, 10), BACKOFF_MAX_MS);

export class OutgoingLines {
  readonly #lines = new Map<string, Line>();
  readonly #bytesOf: (event: MonitorEvent) => number;
  #departed: ReadonlySet<MonitorEvent> = new Set();
  #depth = 0;

  /** `bytesOf`: what an event weighs in a call. */
  constructor(bytesOf: (event: MonitorEvent) => number) {
    this.#bytesOf = bytesOf;
  }

  get depth(): number {
    return this.#depth;
  }

  /** Appends the event; a snapshot of the same kind that still waits is taken out, and returned. */
  add(event: MonitorEvent): MonitorEvent | undefined {
    const key = lineKey(event);
    const line = this.#lines.get(key) ?? { key, waiting: [], notBefore: 0, tries: 0, alone: false };
    this.#lines.set(key, line);
    const superseded = isTransient(event.detailType) ? this.#takeOlder(line, event) : undefined;
    line.waiting.push(event);
    this.#depth += superseded === undefined ? 1 : 0;
    return superseded;
  }

  #takeOlder(line: Line, event: MonitorEvent): MonitorEvent | undefined {
    const index = line.waiting.findIndex(
      (older) => older.detailType === event.detailType && !this.#departed.has(older),
    );
    return index === -1 ? undefined : line.waiting.splice(index, 1)[0];
  }

  /** The heads that may go in one call now. They stay at the head until `arrived` or `delayed`. */
  depart(now: number): Departure[] {
    const batch: Departure[] = [];
    let bytes = 0;
    for (const line of this.#lines.values()) {
      const event = line.waiting[0];
      if (event === undefined || line.notBefore > now || batch.length === MAX_ENTRIES) continue;
      const weight = this.#bytesOf(event);
      if (batch.length > 0 && (line.alone || bytes + weight > MAX_CALL_BYTES)) continue;
      batch.push({ line, event });
      bytes += weight;
      if (line.alone) break;
    }
    this.#departed = new Set(batch.map((departure) => departure.event));
    return batch;
  }

  /** The head needs no more sending. */
  arrived({ line, event }: Departure): void {
    line.waiting.splice(line.waiting.indexOf(event), 1);
    this.#depth -= 1;
    [line.notBefore, line.tries, line.alone] = [0, 0, false];
    if (line.waiting.length === 0) this.#lines.delete(line.key);
  }

  /** The head has to be sent again, later. */
  delayed({ line }: Departure, code: string, alone: boolean, now: number, random: () => number): void {
    line.alone = alone;
    line.notBefore = now + retryDelay(line.tries, THROTTLED.test(code), random);
    line.tries += 1;
  }

  /** All heads are back or gone: what was on its way may be superseded again. */
  settled(): void {
    this.#departed = new Set();
  }

  /** When the next head may go (ms since the epoch), or Infinity. */
  nextAt(): number {
    return Math.min(Infinity, ...[...this.#lines.values()].map((line) => line.notBefore));
  }
}
