/**
 * How far an attempt is and how long it will take yet, from what its nodes are expected to take and from what this
 * attempt shows of itself. All times are milliseconds.
 */
import type { Eta } from '../../shared-types/index.ts';
import type { Expectation, Expectations } from './expectations.ts';
import type { Job, NodeRun } from './job.ts';

export interface Estimate {
  /** What the nodes took that ran or run, up to now; a cached node counts neither here nor below. Where nodes run in
   * parallel, the time that passed, and below the time until the end. */
  readonly doneMs: number;
  readonly leftMs: number;
  /** Sum of the squared deviations of what is left. */
  readonly variance: number;
  /** Milliseconds until the end: less than `leftMs` where nodes run in parallel. */
  readonly leftWallMs: number;
  /** False while a node that is to come could take any time. */
  readonly known: boolean;
}

/** Half the width of an interval that holds four of five values, in mean absolute deviations of a normal one. */
const FOUR_OF_FIVE = 1.606;
/** What all nodes of an attempt have in common (the heat of the card, a neighbour) is not in their own deviations. */
const COMMON_DEVIATION = 0.04;
const LEAST_HALF_MS = 300;
/** How far the rate of one step may be off; of more steps, less by their square root. */
const ONE_STEP_ERROR = 0.25;
const FIRST_STEP_ERROR = 0.5;
/** Below this, the sum of the nodes' times is more than the time they took: some run in parallel. */
const PARALLEL_BELOW = 0.9;
/** Without history, what steps say of the rest of a job is worth this much. */
const STEP_DEVIATION = 0.2;

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Whether a model has to be loaded: a node that names one was not taken from the cache. */
const isCold = (job: Job, { loads }: Expectations): boolean =>
  loads.some((id) => job.workflow?.needed.has(id) === true && job.nodes.get(id)?.state !== 'cached');

type Expect = (nodeId: string) => Expectation | undefined;

const expectOf = (job: Job, expectations: Expectations): Expect => {
  const { nodes, cold, classes } = expectations;
  const first = isCold(job, expectations) ? cold : nodes;
  return (id) => first.get(id) ?? nodes.get(id) ?? classes.get(job.workflow?.nodes.get(id)?.classType ?? '');
};

/** Milliseconds a step, once two ends of steps were seen and the count never fell: a node of several passes lies. */
const stepMs = ({ stepsFrom, restarted, value, changedAt }: NodeRun): number | undefined =>
  stepsFrom === undefined || restarted === true || value <= stepsFrom.value
    ? undefined
    : Math.max(0, changedAt - stepsFrom.at) / (value - stepsFrom.value);

/** By its steps alone: what is left of the node, the part of a step that must have passed taken off. */
const leftBySteps = (run: NodeRun, now: number): number | undefined => {
  const each = stepMs(run);
  if (each === undefined) return undefined;
  const since = clamp(now - run.changedAt, 0, each * 0.9);
  return Math.max(0, (run.max - run.value) * each - since);
};

/** By history alone. A node that takes longer than it should is not done in the next moment. */
const leftByHistory = ({ ms, deviation }: Expectation, elapsed: number): number =>
  Math.max(ms - elapsed, Math.min(deviation, ms) / 2, 0.05 * elapsed);

const elapsedOf = (run: NodeRun, now: number): number =>
  run.startedAt === undefined ? 0 : Math.max(0, (run.finishedAt ?? now) - run.startedAt);

/** Steps that end far too soon are those of the first pass of several (tiles, for one). */
const isOnePassOfMany = ({ ms, deviation }: Expectation, totalBySteps: number): boolean =>
  totalBySteps < Math.min(0.7 * ms, ms - 2 * deviation);

interface BySteps {
  readonly left: number;
  /** How far it may be off. */
  readonly error: number;
}

/** The first step alone says something to whoever knows the node: its time may hold that of a model's way to the card. */
const beliefOf = (run: NodeRun, now: number): BySteps | undefined => {
  const left = leftBySteps(run, now);
  const seen = run.value - (run.stepsFrom?.value ?? 0);
  if (left !== undefined) return { left, error: (ONE_STEP_ERROR * left) / Math.sqrt(seen) + 1 };
  if (run.stepsFrom === undefined || run.restarted === true || run.startedAt === undefined) return undefined;
  const byFirst = ((run.max - run.value) * (run.stepsFrom.at - run.startedAt)) / run.value;
  return { left: byFirst, error: FIRST_STEP_ERROR * byFirst + 1 };
};

/** What is left of a node at work; undefined when neither history nor steps tell. */
const leftOf = (run: NodeRun, expected: Expectation | undefined, now: number): number | undefined => {
  if (expected === undefined) return leftBySteps(run, now);
  const bySteps = beliefOf(run, now);
  const byHistory = leftByHistory(expected, elapsedOf(run, now));
  if (bySteps === undefined) return byHistory;
  const elapsed = elapsedOf(run, now);
  if (isOnePassOfMany(expected, elapsed + bySteps.left)) return byHistory;
  // Each weighs by the square of how far the other may be off.
  const historyError = expected.deviation + Math.max(0, elapsed - expected.ms);
  const weight = historyError ** 2 / (historyError ** 2 + bySteps.error ** 2);
  return weight * bySteps.left + (1 - weight) * byHistory;
};

/** Nodes that an expansion added are part of the node that they were expanded from. */
const isPart = (job: Job, nodeId: string): boolean => {
  const root = nodeId.split('.')[0] ?? nodeId;
  return root !== nodeId && job.workflow?.needed.has(root) === true;
};

/** How this attempt's samplers compare with what was expected of them: it holds for those to come. */
const paceOf = (job: Job, expect: Expect, total: number, now: number): number => {
  let [actual, expected] = [0, 0];
  for (const run of job.nodes.values()) {
    const usual = run.max > 1 && run.state !== 'cached' ? expect(run.nodeId)?.ms : undefined;
    if (usual === undefined || usual === 0 || run.startedAt === undefined) continue;
    const left = run.state === 'running' ? leftBySteps(run, now) : 0;
    if (left === undefined) continue;
    actual += elapsedOf(run, now) + left;
    expected += usual;
  }
  if (expected === 0) return 1;
  const trust = expected / (expected + 0.1 * total);
  return 1 + (clamp(actual / expected, 0.2, 5) - 1) * trust;
};

interface Sums {
  doneMs: number;
  leftMs: number;
  variance: number;
  /** The most that is left of a node at work. */
  longest: number;
  /** Nodes, at work or to come, that could take any time. */
  unknown: number;
}

const addRun = (sums: Sums, run: NodeRun, expected: Expectation | undefined, now: number): void => {
  const elapsed = elapsedOf(run, now);
  if (run.state === 'finished') {
    sums.doneMs += run.startedAt === undefined ? (expected?.ms ?? 0) : elapsed;
    return;
  }
  sums.doneMs += elapsed;
  const left = leftOf(run, expected, now);
  if (left === undefined) {
    sums.unknown += 1;
    return;
  }
  const deviation = expected?.deviation ?? (left + elapsed) * STEP_DEVIATION;
  sums.leftMs += left;
  sums.longest = Math.max(sums.longest, left);
  sums.variance += (deviation * (left / Math.max(left + elapsed, 1))) ** 2;
};

const addComing = (sums: Sums, expected: Expectation | undefined, pace: number): void => {
  if (expected === undefined) {
    sums.unknown += 1;
    return;
  }
  sums.leftMs += expected.ms * pace;
  sums.variance += (expected.deviation * pace) ** 2;
};

/** The nodes that run in this attempt: those that are needed, and those that nobody knew of; no cached ones. */
const nodesOf = (job: Job): readonly string[] => {
  const ids = new Set(job.workflow?.needed);
  for (const { nodeId } of job.nodes.values()) if (!isPart(job, nodeId)) ids.add(nodeId);
  return [...ids].filter((id) => job.nodes.get(id)?.state !== 'cached');
};

/** From history and steps; undefined when the job came without expectations. */
export const estimateOf = (job: Job, now: number): Estimate | undefined => {
  if (job.expectations === undefined) return undefined;
  const expect = expectOf(job, job.expectations);
  const ids = nodesOf(job);
  const times = ids.flatMap((id) => expect(id)?.ms ?? []);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  const pace = paceOf(job, expect, total, now);
  const sums: Sums = { doneMs: 0, leftMs: 0, variance: 0, longest: 0, unknown: 0 };
  for (const id of ids) {
    const run = job.nodes.get(id);
    if (run === undefined) addComing(sums, expect(id), pace);
    else addRun(sums, run, expect(id), now);
  }
  // A node of which nothing is known weighs what half of the others do not reach, and no time is given.
  const usual = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 1;
  const { doneMs, variance, unknown, longest } = sums;
  const leftMs = sums.leftMs + unknown * Math.max(usual, 1);
  const { wall } = job.expectations;
  if (wall >= PARALLEL_BELOW)
    return { doneMs, leftMs, variance, leftWallMs: leftMs * wall, known: unknown === 0 };
  const passed = now - (job.startedAt ?? now);
  const leftWallMs = Math.max(longest, (doneMs + leftMs) * wall - passed);
  return { doneMs: passed, leftMs: leftWallMs, variance, leftWallMs, known: unknown === 0 };
};

/** 0–100. */
export const percentageOf = ({ doneMs, leftMs }: Estimate): number =>
  doneMs + leftMs > 0 ? (100 * doneMs) / (doneMs + leftMs) : 0;

const tenths = (ms: number, round: (value: number) => number): number =>
  Math.max(0, round(Math.min(ms, Number.MAX_SAFE_INTEGER / 10) / 100) / 10);

const etaBetween = (lowMs: number, highMs: number): Eta => ({
  lowSeconds: tenths(lowMs, Math.floor),
  highSeconds: tenths(highMs, Math.ceil),
});

/** What the nodes of each class took in this attempt: of a sampler at work, what it will have taken. */
const seenByClass = (job: Job, now: number): ReadonlyMap<string, number> => {
  const seen = new Map<string, number>();
  for (const run of job.nodes.values()) {
    const classType = job.workflow?.nodes.get(run.nodeId)?.classType;
    const left = run.state === 'running' ? leftBySteps(run, now) : 0;
    if (classType === undefined || run.state === 'cached' || left === undefined) continue;
    seen.set(classType, Math.max(seen.get(classType) ?? 0, elapsedOf(run, now) + left));
  }
  return seen;
};

/** Core nodes that take next to nothing beside a sampler. */
const SHORT =
  /^(?:VAEDecode|VAEEncode|CLIP|Conditioning|Empty|Save|Preview|Image(?!Upscale)|Latent(?!Upscale))/;

/**
 * Without history: what is left of the samplers at work, and as much again for others of their class. Null also where
 * a node is to come that could take any time: an upscaler may take longer than all before it.
 */
const etaBySteps = (job: Job, now: number): Eta | null => {
  const running = [...job.nodes.values()].filter(({ state }) => state === 'running');
  const lefts = running.flatMap((run) => leftBySteps(run, now) ?? []);
  if (lefts.length === 0) return null;
  const seen = seenByClass(job, now);
  const coming = nodesOf(job).filter((id) => !job.nodes.has(id));
  const classes = coming.map((id) => job.workflow?.nodes.get(id)?.classType ?? '');
  if (classes.some((name) => !seen.has(name) && !SHORT.test(name))) return null;
  const times = classes.map((name) => seen.get(name));
  const left = Math.max(...lefts) + times.reduce<number>((sum, ms) => sum + (ms ?? 0), 0);
  const unseen = times.filter((ms) => ms === undefined).length;
  const longest = Math.max(0, ...seen.values());
  const spare = left * STEP_DEVIATION + Math.min(unseen, 4) * 0.03 * longest;
  return etaBetween(left * (1 - STEP_DEVIATION / 2), left + spare + LEAST_HALF_MS);
};

/** Until the end of the attempt; null while neither history nor steps tell. */
export const etaOf = (job: Job, now: number, estimate = estimateOf(job, now)): Eta | null => {
  if (estimate === undefined || !estimate.known) return etaBySteps(job, now);
  const left = estimate.leftWallMs;
  const own = FOUR_OF_FIVE * Math.sqrt(estimate.variance);
  const half = Math.max(own + COMMON_DEVIATION * left, LEAST_HALF_MS);
  return etaBetween(left - half, left + half);
};
