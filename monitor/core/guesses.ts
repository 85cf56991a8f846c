/** What nodes weigh that nobody ever measured: guessed for an ordinary card, and corrected by what this attempt shows. */
import type { Job } from './job.ts';
import { nodeTime, type Weight } from './node-time.ts';

/** A worker without a card takes many times as long. */
const PACE = { least: 0.02, most: 50 } as const;
/** Nodes that were guessed at a tenth of the whole are believed half. */
const HALF_TRUST = 0.1;

interface Pace {
  readonly pace: number;
  /** Milliseconds that were guessed, of all nodes. */
  readonly guessedMs: number;
}

/** Time that the guessed nodes took, or that they show they will take, over what was guessed. */
const paceOf = ({ expectations, nodes }: Job, ids: readonly string[], now: number): Pace => {
  let [actual, seen, guessedMs] = [0, 0, 0];
  for (const id of ids) {
    const [run, guess] = [nodes.get(id), expectations?.guesses.get(id)];
    guessedMs += guess?.ms ?? 0;
    if (run?.startedAt === undefined || guess === undefined) continue;
    const { elapsed, left } = nodeTime(run, undefined, now);
    // One that says nothing says something once it takes longer than was guessed.
    if (left === undefined && elapsed < guess.ms) continue;
    actual += elapsed + (left ?? elapsed / 2);
    seen += guess.ms;
  }
  if (seen === 0) return { pace: 1, guessedMs };
  const trust = seen / (seen + HALF_TRUST * guessedMs);
  const pace = 1 + (Math.min(Math.max(actual / seen, PACE.least), PACE.most) - 1) * trust;
  return { pace, guessedMs };
};

export interface Known {
  /** Of a node that nobody guessed. */
  readonly usualMs: number;
  /** Sum over the nodes whose times are known. */
  readonly knownMs: number;
}

/** The weight of a node of the attempt that was never measured: at most as much as all the others. */
export const weightsIn = (
  job: Job,
  ids: readonly string[],
  now: number,
  { usualMs, knownMs }: Known,
): ((nodeId: string) => Weight) => {
  const { pace, guessedMs } = paceOf(job, ids, now);
  return (id) => {
    const guess = job.expectations?.guesses.get(id);
    const own = guess === undefined ? 0 : guess.ms * pace;
    const mostMs = knownMs + guessedMs * pace - own;
    return { ms: guess === undefined ? usualMs : own, steps: guess?.steps ?? 1, mostMs };
  };
};
