/** What one completed run teaches a profile. */
import { fittingStats, withMeasurement, type Profile, type Stat, type Stats } from './profile.ts';
import type { WorkflowShape } from './workflow-shape.ts';

export interface MeasuredRun {
  readonly jobId: string;
  /** Node id → milliseconds, of the nodes that ran. */
  readonly durations: ReadonlyMap<string, number>;
  /** Milliseconds of the whole run; null when unknown. */
  readonly totalMs: number | null;
}

/** Of warm and of cold each, so that an item stays below 2 KB. */
const MAX_BYTES = 850;
const DAY_MS = 86_400_000;

const isTime = (ms: number): boolean => Number.isFinite(ms) && ms >= 0 && ms <= DAY_MS;

/** Milliseconds of the nodes of the workflow that ran and whose time can be believed. */
const measuredNodes = (shape: WorkflowShape, { durations }: MeasuredRun): ReadonlyMap<string, number> =>
  new Map([...durations].filter(([id, ms]) => shape.nodes.has(id) && isTime(ms)));

/** A model was loaded when a node that names one ran: else it came from ComfyUI's cache, and the model with it. */
const isCold = (shape: WorkflowShape, ran: Iterable<string>): boolean => {
  for (const id of ran) if (shape.nodes.get(id)?.loadsModel === true) return true;
  return false;
};

/** Milliseconds of a node that are never cut as an outlier: a node that does nothing once may do something later. */
const NEVER_OUTLIER_MS = 1000;

type Measurement = readonly [key: string, unitMs: number, ms: number];

/** The same for one unit of its work. */
const neverCut = (unitMs: number, ms: number): number => (ms > 0 ? (NEVER_OUTLIER_MS * unitMs) / ms : 0);

const byNode = (shape: WorkflowShape, measured: ReadonlyMap<string, number>): readonly Measurement[] =>
  [...measured].map(([id, ms]) => [id, ms / (shape.nodes.get(id)?.work ?? 1), ms]);

/** Nodes of a class are one measurement: their mean, by work. */
const byClass = (shape: WorkflowShape, measured: ReadonlyMap<string, number>): readonly Measurement[] => {
  const sums = new Map<string, { ms: number; work: number }>();
  for (const [id, ms] of measured) {
    const { classType, work } = shape.nodes.get(id) ?? { classType: '', work: 1 };
    const sum = sums.get(classType) ?? { ms: 0, work: 0 };
    sums.set(classType, { ms: sum.ms + ms, work: sum.work + work });
  }
  return [...sums].map(([classType, { ms, work }]) => [classType, ms / work, ms]);
};

/** What took long in this run comes first: what does not fit is what matters least. */
const learnt = (stats: Stats, measurements: readonly Measurement[]): Stats => {
  const sorted = measurements.toSorted((a, b) => b[2] - a[2]);
  const next = new Map<string, Stat>();
  for (const [key, unitMs, ms] of sorted)
    next.set(key, withMeasurement(stats.get(key), unitMs, neverCut(unitMs, ms)));
  for (const [key, stat] of stats) if (!next.has(key)) next.set(key, stat);
  return fittingStats(next, MAX_BYTES);
};

/** The mean of the measured nodes that were not kept. */
const otherOf = (profile: Profile, kept: Stats, measurements: readonly Measurement[]): Stat | undefined => {
  const left = measurements.filter(([key]) => !kept.has(key));
  if (left.length === 0) return profile.other;
  const mean = left.reduce((sum, [, , ms]) => sum + ms, 0) / left.length;
  return withMeasurement(profile.other, mean, NEVER_OUTLIER_MS);
};

const wallOf = (profile: Profile, measured: ReadonlyMap<string, number>, totalMs: number | null) => {
  const sum = [...measured.values()].reduce((all, ms) => all + ms, 0);
  if (totalMs === null || !isTime(totalMs) || sum < 1) return profile.wall;
  return withMeasurement(profile.wall, Math.min(Math.max(totalMs / sum, 0.05), 5));
};

const withRun = (profile: Profile, shape: WorkflowShape, run: MeasuredRun, keyed: typeof byNode): Profile => {
  const measured = measuredNodes(shape, run);
  const which = isCold(shape, measured.keys()) ? 'cold' : 'warm';
  const measurements = keyed(shape, measured);
  const kept = learnt(profile[which], measurements);
  return {
    ...profile,
    runs: profile.runs + 1,
    lastJobId: run.jobId,
    [which]: kept,
    other: otherOf(profile, kept, measurements),
    wall: wallOf(profile, measured, run.totalMs),
  };
};

/** The profile of that workflow after the run; its nodes by id. */
export const learnWorkflow = (profile: Profile, shape: WorkflowShape, run: MeasuredRun): Profile =>
  withRun(profile, shape, run, byNode);

/** The profile of all classes after the run. */
export const learnClasses = (profile: Profile, shape: WorkflowShape, run: MeasuredRun): Profile =>
  withRun(profile, shape, run, byClass);
