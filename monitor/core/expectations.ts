/**
 * What the dispatcher expects a prompt to take: `extra_data.expected` of the prompt, in milliseconds as `[mean, mean
 * absolute deviation]`. It came over the wire and may say anything: what makes no sense is left out, never an error.
 */

export interface Expectation {
  /** Milliseconds, finite, not negative. */
  readonly ms: number;
  readonly deviation: number;
}

/** Of a node that nobody ever measured: what it weighs in the percentage, and nothing that a time could be told by. */
export interface Guess {
  /** Milliseconds on an ordinary card, finite, not negative. */
  readonly ms: number;
  /** That it will count; 1 for none. */
  readonly steps: number;
}

export interface Expectations {
  /** Node id → its time when no model has to be loaded. */
  readonly nodes: ReadonlyMap<string, Expectation>;
  /** Node id → its time in a run that loads a model, where that differs. */
  readonly cold: ReadonlyMap<string, Expectation>;
  /** Class → time of each of its nodes that `nodes` does not name. */
  readonly classes: ReadonlyMap<string, Expectation>;
  readonly guesses: ReadonlyMap<string, Guess>;
  /** Nodes that load a model when they run. */
  readonly loads: readonly string[];
  /** Time of the whole over the sum of its nodes' times: below 1 where nodes run in parallel. */
  readonly wall: number;
}

const MAX_ENTRIES = 2000;
const WEEK_MS = 7 * 86_400_000;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= WEEK_MS;

const readTimes = (value: unknown): ReadonlyMap<string, Expectation> => {
  const times = new Map<string, Expectation>();
  if (!isRecord(value)) return times;
  for (const [key, time] of Object.entries(value).slice(0, MAX_ENTRIES)) {
    const [ms, deviation] = Array.isArray(time) ? (time as readonly unknown[]) : [];
    if (isTime(ms) && key.length <= 512)
      times.set(key, { ms, deviation: isTime(deviation) ? deviation : ms });
  }
  return times;
};

const readGuesses = (value: unknown): ReadonlyMap<string, Guess> =>
  new Map(
    [...readTimes(value)].map(([id, { ms, deviation: steps }]) => [id, { ms, steps: Math.max(1, steps) }]),
  );

const readIds = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? (value as readonly unknown[]) : [])
    .slice(0, MAX_ENTRIES)
    .filter((id): id is string => typeof id === 'string' && id.length <= 512);

const readWall = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.min(Math.max(value, 0.05), 5) : 1;

/** Undefined when nothing of it can be used. */
export const readExpectations = (value: unknown): Expectations | undefined => {
  if (!isRecord(value)) return undefined;
  const [nodes, classes] = [readTimes(value['nodes']), readTimes(value['classes'])];
  const guesses = readGuesses(value['guesses']);
  if (nodes.size + classes.size + guesses.size === 0) return undefined;
  const { cold, loads, wall } = value;
  return { nodes, cold: readTimes(cold), classes, guesses, loads: readIds(loads), wall: readWall(wall) };
};
