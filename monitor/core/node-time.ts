/**
 * What a node that ran or runs has taken, and what it will take yet. A node that counts steps moves by its steps: from
 * the last of them on, time counts for less than one more. All times are milliseconds.
 */
import type { Expectation, Guess } from './expectations.ts';
import type { NodeRun } from './job.ts';

/** Of a step that is under way, so much at most is taken for done. */
const WITHIN_STEP = 0.8;
/** How far the rate of one step may be off; of more steps, less by their square root. */
const ONE_STEP_ERROR = 0.25;
const FIRST_STEP_ERROR = 0.5;
/** A node that says nothing of itself: up to `steady` of its time it moves as time does, from there on ever slower. */
const SILENT = { steady: 0.8, most: 0.9 } as const;
/** Times of what was expected after which nobody can say how long it will take yet. */
const OVERDUE_TIMES = 3;
/** No node and no step is overdue that is late by less. */
const NODE_LATE_MS = 2000;
const STEP_LATE_MS = 10_000;

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Whether the steps that it counts are all that it does: a node of several passes lies. */
const isSinglePass = ({ stepsFrom, restarted }: NodeRun): boolean =>
  stepsFrom !== undefined && restarted !== true;

const firstStepMs = ({ stepsFrom, startedAt }: NodeRun): number | undefined =>
  stepsFrom === undefined || startedAt === undefined
    ? undefined
    : Math.max(0, stepsFrom.at - startedAt) / stepsFrom.value;

/** From one step to the next; undefined before the first. The first alone may hold a model's way to the card. */
const stepTime = (run: NodeRun, expected: Expectation | undefined): number | undefined => {
  if (run.stepsFrom === undefined) return undefined;
  if (run.rhythm !== undefined) return run.rhythm.stepMs;
  return Math.min(firstStepMs(run) ?? Infinity, expected === undefined ? Infinity : expected.ms / run.max);
};

/** The time up to which the node is known to have moved: `now`, but of a node that counts steps, within the next one. */
const movedUntil = (run: NodeRun, expected: Expectation | undefined, now: number): number => {
  const step = run.state === 'running' ? stepTime(run, expected) : undefined;
  if (step === undefined) return now;
  return Math.min(now, run.changedAt + (Number.isFinite(step) ? WITHIN_STEP * step : 0));
};

/** Steps that were held up are left out while it runs: they say nothing of what is left of it. */
const elapsedUntil = (run: NodeRun, until: number): number => {
  if (run.startedAt === undefined) return 0;
  const heldMs = run.state === 'running' ? (run.rhythm?.heldMs ?? 0) : 0;
  return Math.max(0, (run.finishedAt ?? until) - run.startedAt - heldMs);
};

/** Milliseconds a step, once two ends of steps were seen and the count never fell. */
const stepRate = (run: NodeRun): number | undefined => {
  const { stepsFrom, value, changedAt, rhythm } = run;
  if (stepsFrom === undefined || !isSinglePass(run) || value <= stepsFrom.value) return undefined;
  return Math.max(0, changedAt - stepsFrom.at - (rhythm?.heldMs ?? 0)) / (value - stepsFrom.value);
};

/** By its steps alone: what is left of the node, the part of a step that must have passed taken off. */
const leftByRate = (run: NodeRun, until: number): number | undefined => {
  const each = stepRate(run);
  if (each === undefined) return undefined;
  const since = clamp(until - run.changedAt, 0, each * WITHIN_STEP);
  return Math.max(0, (run.max - run.value) * each - since);
};

/** By history alone. A node that takes longer than it should is not done in the next moment. */
const leftByHistory = ({ ms, deviation }: Expectation, elapsed: number): number =>
  Math.max(ms - elapsed, Math.min(deviation, ms) / 2, 0.05 * elapsed);

/** Steps that end far too soon are those of the first pass of several (tiles, for one). */
const isOnePassOfMany = ({ ms, deviation }: Expectation, totalBySteps: number): boolean =>
  totalBySteps < Math.min(0.7 * ms, ms - 2 * deviation);

interface BySteps {
  readonly left: number;
  /** How far it may be off. */
  readonly error: number;
}

/** The first step alone says something to whoever knows the node. */
const beliefOf = (run: NodeRun, until: number): BySteps | undefined => {
  const left = leftByRate(run, until);
  const seen = run.value - (run.stepsFrom?.value ?? 0);
  if (left !== undefined) return { left, error: (ONE_STEP_ERROR * left) / Math.sqrt(seen) + 1 };
  const first = isSinglePass(run) ? firstStepMs(run) : undefined;
  if (first === undefined) return undefined;
  const byFirst = (run.max - run.value) * first;
  return { left: byFirst, error: FIRST_STEP_ERROR * byFirst + 1 };
};

export interface NodeTime {
  readonly elapsed: number;
  /** Undefined when neither history nor steps tell. */
  readonly left: number | undefined;
  /** Whether `left` goes by its steps; by history alone otherwise. */
  readonly bySteps: boolean;
}

/** What the node has taken and will take. A finished one has nothing left. */
export const nodeTime = (run: NodeRun, expected: Expectation | undefined, now: number): NodeTime => {
  const until = movedUntil(run, expected, now);
  const elapsed = elapsedUntil(run, until);
  if (run.state !== 'running') return { elapsed, left: 0, bySteps: false };
  if (expected === undefined) return { elapsed, left: leftByRate(run, until), bySteps: true };
  const byHistory = leftByHistory(expected, elapsed);
  const believed = beliefOf(run, until);
  if (believed === undefined || isOnePassOfMany(expected, elapsed + believed.left))
    return { elapsed, left: byHistory, bySteps: false };
  // Each weighs by the square of how far the other may be off.
  const historyError = expected.deviation + Math.max(0, elapsed - expected.ms);
  const weight = historyError ** 2 / (historyError ** 2 + believed.error ** 2);
  return { elapsed, left: weight * believed.left + (1 - weight) * byHistory, bySteps: true };
};

/** What is left by its steps; undefined before they tell. */
export const leftBySteps = (run: NodeRun, now: number): number | undefined =>
  nodeTime(run, undefined, now).left;

/** 0 to 0.9, never quite: what a node has done of which nothing but its usual time is known. */
const silentShare = (elapsed: number, usualMs: number): number => {
  const { steady, most } = SILENT;
  const passed = elapsed / Math.max(usualMs, 1);
  return passed <= steady ? passed : most - (most - steady) * Math.exp((steady - passed) / (most - steady));
};

export interface NodeShare {
  readonly done: number;
  readonly left: number;
}

/** Of a node that was never measured, and says nothing of itself: half as long again as it has taken already. */
const AGAIN = 0.5;

/** What a node weighs that was never measured. */
export interface Weight extends Guess {
  /** Up to this it grows while it takes longer than was guessed. */
  readonly mostMs: number;
}

/** One that counts steps does one of them at most, whatever passes; any other grows with the time that it takes. */
const unknownShare = (run: NodeRun, elapsed: number, { ms, steps, mostMs }: Weight): NodeShare => {
  const weight = Math.max(ms, 1);
  const ahead = Math.max(run.max, steps);
  const counts = run.stepsFrom === undefined ? ahead > 1 : isSinglePass(run);
  if (!counts) {
    const grown = Math.max(weight, Math.min((1 + AGAIN) * elapsed, mostMs));
    const done = Math.min(elapsed, grown / (1 + AGAIN));
    return { done, left: grown - done };
  }
  const most = ((run.stepsFrom === undefined ? 0 : run.value) + WITHIN_STEP) / ahead;
  const done = Math.min(silentShare(elapsed, weight), most) * weight;
  return { done, left: weight - done };
};

/**
 * What a node at work weighs in the percentage, done and to do. By its steps where they tell; one that says nothing
 * weighs what it usually takes and is never done by the passing of time.
 * @param guess where it was never measured
 */
export const nodeShare = (
  run: NodeRun,
  { elapsed, left, bySteps }: NodeTime,
  expected: Expectation | undefined,
  guess: Weight,
): NodeShare => {
  if (left === undefined) return unknownShare(run, elapsed, guess);
  if (bySteps || expected === undefined) return { done: elapsed, left };
  const weight = Math.max(expected.ms, 1);
  const done = silentShare(elapsed, weight) * weight;
  return { done, left: weight - done };
};

/**
 * Whether a node at work takes so much longer than expected that nobody can say when it ends: three times what it
 * should, or as much of a step and ten seconds.
 */
export const isOverdue = (run: NodeRun, expected: Expectation | undefined, now: number): boolean => {
  if (run.state !== 'running') return false;
  const step = stepTime(run, expected);
  if (step !== undefined && now - run.changedAt > Math.max(OVERDUE_TIMES * step, STEP_LATE_MS)) return true;
  if (run.startedAt === undefined) return false;
  const { elapsed, left, bySteps } = nodeTime(run, expected, now);
  const usual = Math.max(expected?.ms ?? 0, bySteps && left !== undefined ? elapsed + left : 0);
  return usual > 0 && elapsedUntil(run, now) > Math.max(OVERDUE_TIMES * usual, usual + NODE_LATE_MS);
};
