/** The timeline of a task as bars: one per node and attempt, on the clock of the whole task. */
import type { TimelineEntry } from '../api/read-answers.ts';

export type BarState = 'waiting' | 'running' | 'done' | 'cached' | 'failed' | 'storing';

export interface Bar {
  readonly id: string;
  readonly name: string;
  /** `class_type · node id`; empty for what is no node. */
  readonly about: string;
  readonly state: BarState;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** As the worker measured it, else the difference of both. */
  readonly durationMs: number;
}

export interface AttemptBars {
  readonly attempt: number;
  readonly workerId: string | null;
  readonly from: number;
  readonly to: number;
  readonly bars: readonly Bar[];
  /** Why it ended without a result; empty where it did not. */
  readonly error: string;
}

const timeOf = ({ at }: TimelineEntry): number => Date.parse(at);

const ENDS: readonly string[] = ['completed', 'failed', 'cancelled', 'attempt_failed'];
const END_STATES: Readonly<Record<string, BarState>> = { completed: 'done', cancelled: 'done' };

const aboutOf = ({ nodeType, nodeId }: TimelineEntry): string =>
  [nodeType, nodeId === null ? null : `node ${nodeId}`]
    .filter((part) => part !== null && part !== '')
    .join(' · ');

interface Open {
  readonly entry: TimelineEntry;
  readonly from: number;
}

class AttemptReader {
  readonly #entries: readonly TimelineEntry[];
  readonly #now: number;
  readonly #bars: Bar[] = [];
  readonly #open = new Map<string, Open>();

  constructor(entries: readonly TimelineEntry[], now: number) {
    this.#entries = entries;
    this.#now = now;
  }

  read(): AttemptBars {
    for (const entry of this.#entries) this.#take(entry);
    const end = this.#entries.find(({ what }) => ENDS.includes(what));
    this.#closeOpen(end);
    if (end?.what === 'completed') this.#storing(timeOf(end));
    const first = this.#entries[0];
    const from = first === undefined ? this.#now : timeOf(first);
    return {
      attempt: first?.attempt ?? 0,
      workerId: this.#entries.find(({ workerId }) => workerId !== null)?.workerId ?? null,
      from,
      to: Math.max(end === undefined ? this.#now : timeOf(end), from),
      bars: this.#bars.toSorted((a, b) => a.from - b.from),
      error: end !== undefined && end.what !== 'completed' ? end.message : '',
    };
  }

  #take(entry: TimelineEntry): void {
    const { nodeId, what } = entry;
    if (nodeId === null) return;
    if (what === 'node_executing') this.#open.set(nodeId, { entry, from: timeOf(entry) });
    if (what === 'node_cached') this.#add(entry, timeOf(entry), timeOf(entry), 'cached', 0);
    if (what !== 'node_executed') return;
    const from = this.#open.get(nodeId)?.from ?? timeOf(entry) - (entry.durationMs ?? 0);
    this.#open.delete(nodeId);
    this.#add(entry, from, timeOf(entry), 'done', entry.durationMs);
  }

  /** What had not ended when the attempt did, or runs still. */
  #closeOpen(end: TimelineEntry | undefined): void {
    for (const [nodeId, { entry, from }] of this.#open) {
      const failed = end?.nodeId === nodeId;
      const state = end === undefined ? 'running' : failed ? 'failed' : (END_STATES[end.what] ?? 'failed');
      this.#add(entry, from, end === undefined ? this.#now : timeOf(end), state, null);
    }
  }

  #storing(completedAt: number): void {
    const last = Math.max(...this.#bars.map(({ to }) => to));
    if (!Number.isFinite(last) || completedAt <= last) return;
    this.#bars.push({
      id: 'storing',
      name: 'Storing the outputs',
      about: '',
      state: 'storing',
      from: last,
      to: completedAt,
      durationMs: completedAt - last,
    });
  }

  #add(entry: TimelineEntry, from: number, to: number, state: BarState, durationMs: number | null): void {
    const name = entry.nodeName ?? entry.nodeType ?? 'Node';
    const id = `${entry.nodeId ?? ''} ${this.#bars.length}`;
    this.#bars.push({
      id,
      name,
      about: aboutOf(entry),
      state,
      from,
      to: Math.max(from, to),
      durationMs: durationMs ?? to - from,
    });
  }
}

/** Oldest attempt first. `now` ends the bars of what still runs. */
export const attemptBars = (entries: readonly TimelineEntry[], now: number): readonly AttemptBars[] => {
  const attempts = [...new Set(entries.map(({ attempt }) => attempt))].filter((attempt) => attempt > 0);
  return attempts
    .toSorted((a, b) => a - b)
    .map((attempt) =>
      new AttemptReader(
        entries.filter((entry) => entry.attempt === attempt),
        now,
      ).read(),
    );
};

/** Until the first worker had it, or until now; undefined before there is anything. */
export const waitedMs = (entries: readonly TimelineEntry[], now: number): number | undefined => {
  const submitted = entries.find(({ what }) => what === 'submitted');
  const assigned = entries.find(({ what }) => what === 'assigned');
  const over = assigned ?? entries.find(({ what }) => ENDS.includes(what));
  return submitted === undefined
    ? undefined
    : Math.max(0, (over === undefined ? now : timeOf(over)) - timeOf(submitted));
};
