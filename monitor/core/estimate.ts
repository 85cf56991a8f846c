/**
 * How far an attempt is and how long it will take yet, from what its nodes are expected to take and from what this
 * attempt shows of itself. All times are milliseconds.
 */
import type { Eta } from '../../shared-types/index.ts';
import type { Expectation, Expectations } from './expectations.ts';
import { weightsIn } from './guesses.ts';
import type { Job, NodeRun } from './job.ts';
import { isOverdue, leftBySteps, nodeShare, nodeTime, type Weight } from './node-time.ts';

export interface Estimate {
  /** For the percentage: what the nodes took that ran, and of those at work what they are known to have done, which
   * time alone moves but little; a cached node counts neither here nor below. Where nodes run in parallel, the time
   * that passed until then, and below the time until the end. */
  readonly doneMs: number;
  readonly leftMs: number;
  /** Sum of the squared deviations of what is left. */
  readonly variance: number;
  /** Milliseconds until the end: less than what is left of the nodes where they run in parallel. */
  readonly leftWallMs: number;
  /** False while a node that is to come could take any time. */
  readonly known: boolean;
  /** A node at work has taken so much longer than it should that nobody can say when it ends. */
  readonly overdue: boolean;
}

/** Half the width of an interval that holds four of five values, in mean absolute deviations of a normal one. */
const FOUR_OF_FIVE = 1.606;
/** What all nodes of an attempt have in common (the heat of the card, a neighbour) is not in their own deviations. */
const COMMON_DEVIATION = 0.04;
const LEAST_HALF_MS = 300;
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
    const { elapsed, left } = nodeTime(run, undefined, now);
    if (left === undefined) continue;
    actual += elapsed + left;
    expected += usual;
  }
  if (expected === 0) return 1;
  const trust = expected / (expected + 0.1 * total);
  return 1 + (clamp(actual / expected, 0.2, 5) - 1) * trust;
};

interface Sums {
  doneMs: number;
  leftMs: number;
  /** What is left of the nodes in the time left; `leftMs` is what is left of them in the percentage. */
  timeLeftMs: number;
  variance: number;
  /** The most that is left of a node at work, in the percentage and in the time. */
  longest: number;
  longestTime: number;
  /** The last instant at which a node is known to have moved. */
  movedAt: number;
  /** Nodes, at work or to come, that could take any time. */
  unknown: number;
  overdue: boolean;
}

const addFinished = (sums: Sums, run: NodeRun, expected: Expectation | undefined, now: number): void => {
  sums.doneMs += run.startedAt === undefined ? (expected?.ms ?? 0) : nodeTime(run, expected, now).elapsed;
  sums.movedAt = Math.max(sums.movedAt, run.finishedAt ?? 0);
};

/** @param weight of a node of which nothing is known */
const addRunning = (
  sums: Sums,
  run: NodeRun,
  expected: Expectation | undefined,
  now: number,
  weight: Weight,
): void => {
  const time = nodeTime(run, expected, now);
  const share = nodeShare(run, time, expected, weight);
  sums.doneMs += share.done;
  sums.leftMs += share.left;
  sums.longest = Math.max(sums.longest, share.left);
  sums.movedAt = Math.max(sums.movedAt, (run.startedAt ?? 0) + Math.min(share.done, time.elapsed));
  const { elapsed, left } = time;
  sums.overdue ||= isOverdue(run, expected, now);
  if (left === undefined) {
    sums.unknown += 1;
    return;
  }
  const deviation = expected?.deviation ?? (left + elapsed) * STEP_DEVIATION;
  sums.timeLeftMs += left;
  sums.longestTime = Math.max(sums.longestTime, left);
  sums.variance += (deviation * (left / Math.max(left + elapsed, 1))) ** 2;
};

/** A node of which nothing is known weighs what is usual, and no time is given. */
const addComing = (sums: Sums, expected: Expectation | undefined, pace: number, usualMs: number): void => {
  if (expected === undefined) {
    sums.unknown += 1;
    sums.leftMs += usualMs;
    return;
  }
  sums.leftMs += expected.ms * pace;
  sums.timeLeftMs += expected.ms * pace;
  sums.variance += (expected.deviation * pace) ** 2;
};

/** The nodes that run in this attempt: those that are needed, and those that nobody knew of; no cached ones. */
const nodesOf = (job: Job): readonly string[] => {
  const ids = new Set(job.workflow?.needed);
  for (const { nodeId } of job.nodes.values()) if (!isPart(job, nodeId)) ids.add(nodeId);
  return [...ids].filter((id) => job.nodes.get(id)?.state !== 'cached');
};

const sumsOf = (job: Job, expect: Expect, now: number): Sums => {
  const sums: Sums = {
    doneMs: 0,
    leftMs: 0,
    timeLeftMs: 0,
    variance: 0,
    longest: 0,
    longestTime: 0,
    movedAt: 0,
    unknown: 0,
    overdue: false,
  };
  const ids = nodesOf(job);
  const times = ids.flatMap((id) => expect(id)?.ms ?? []).toSorted((a, b) => a - b);
  const total = times.reduce((sum, ms) => sum + ms, 0);
  const pace = paceOf(job, expect, total, now);
  // What half of the known nodes do not reach.
  const usualMs = Math.max(times[Math.floor(times.length / 2)] ?? 1, 1);
  const weight = weightsIn(job, ids, now, { usualMs, knownMs: total });
  for (const id of ids) {
    const run = job.nodes.get(id);
    if (run === undefined) addComing(sums, expect(id), pace, weight(id).ms);
    else if (run.state === 'running') addRunning(sums, run, expect(id), now, weight(id));
    else addFinished(sums, run, expect(id), now);
  }
  return sums;
};

/**
 * From history and steps; undefined when the job came without expectations.
 * @param now the last instant at which ComfyUI is known to have lived, or a little later
 */
export const estimateOf = (job: Job, now: number): Estimate | undefined => {
  if (job.expectations === undefined) return undefined;
  const sums = sumsOf(job, expectOf(job, job.expectations), now);
  const { doneMs, leftMs, timeLeftMs, variance, overdue } = sums;
  const { wall } = job.expectations;
  const known = sums.unknown === 0;
  if (wall >= PARALLEL_BELOW)
    return { doneMs, leftMs, variance, leftWallMs: timeLeftMs * wall, known, overdue };
  const startedAt = job.startedAt ?? now;
  const passed = clamp(sums.movedAt - startedAt, 0, Math.max(0, now - startedAt));
  const whole = (doneMs + leftMs) * wall;
  const leftWallMs = Math.max(sums.longestTime, whole - (now - startedAt));
  const left = Math.max(sums.longest, whole - passed);
  return { doneMs: passed, leftMs: left, variance, leftWallMs, known, overdue };
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
    const { elapsed, left } = nodeTime(run, undefined, now);
    if (classType === undefined || run.state === 'cached' || left === undefined) continue;
    seen.set(classType, Math.max(seen.get(classType) ?? 0, elapsed + left));
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
  if (lefts.length === 0 || running.some((run) => isOverdue(run, undefined, now))) return null;
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

/**
 * Until the end of the attempt; null ("estimating") while neither history nor steps tell, and once a node at work has
 * taken three times what it should.
 */
export const etaOf = (job: Job, now: number, estimate = estimateOf(job, now)): Eta | null => {
  if (estimate?.overdue === true) return null;
  if (estimate === undefined || !estimate.known) return etaBySteps(job, now);
  const left = estimate.leftWallMs;
  const own = FOUR_OF_FIVE * Math.sqrt(estimate.variance);
  const half = Math.max(own + COMMON_DEVIATION * left, LEAST_HALF_MS);
  return etaBetween(left - half, left + half);
};
