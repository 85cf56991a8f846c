/** What was measured of workflows alike on workers alike: times of nodes for one unit of work. Tiny on purpose. */

/** A moving average of what was measured. */
export interface Stat {
  readonly mean: number;
  /** Mean absolute deviation from the mean as it was before. */
  readonly deviation: number;
  /** Measurements. */
  readonly count: number;
}

/** By node id in the profile of a workflow, by class in the profile of all classes. Milliseconds per unit of work. */
export type Stats = ReadonlyMap<string, Stat>;

export interface Profile {
  /** Completed jobs that it was learnt from; its version. */
  readonly runs: number;
  /** The last of them, so that a repeated write is recognised. */
  readonly lastJobId: string | null;
  /** Of runs whose models were all in the cache. */
  readonly warm: Stats;
  /** Of runs in which a model was loaded first. */
  readonly cold: Stats;
  /** Milliseconds of a node that there was no room for, whatever its work; undefined while there is room for all. */
  readonly other: Stat | undefined;
  /** Time of the whole run over the sum of its nodes' times: above 1 for overhead, below for parallel nodes. */
  readonly wall: Stat | undefined;
}

export const EMPTY_PROFILE: Profile = {
  runs: 0,
  lastJobId: null,
  warm: new Map(),
  cold: new Map(),
  other: undefined,
  wall: undefined,
};

/** How much the latest measurement weighs once there are some. */
const LATEST_WEIGHT = 0.2;
/** A single measurement says nothing of its own deviation. */
const FIRST_DEVIATION = 0.25;

/** One measurement counts as at most so many times the mean, once so many were made. */
const OUTLIER = { times: 4, count: 3 } as const;

/**
 * The first measurements count alike, later ones as in a moving average: a new driver is learnt within ten jobs. One
 * run that was held up does not outweigh all the others: from the fourth on, what exceeds four times the mean is cut.
 * @param never up to this no measurement is cut, however short those before it were
 */
export const withMeasurement = (stat: Stat | undefined, measured: number, never = 0): Stat => {
  if (stat === undefined) return { mean: measured, deviation: measured * FIRST_DEVIATION, count: 1 };
  const most = stat.count < OUTLIER.count ? Infinity : Math.max(OUTLIER.times * stat.mean, never);
  const value = Math.min(measured, most);
  const weight = Math.max(LATEST_WEIGHT, 1 / (stat.count + 1));
  const mean = stat.mean + weight * (value - stat.mean);
  const deviation = stat.deviation + weight * (Math.abs(value - stat.mean) - stat.deviation);
  return { mean, deviation, count: stat.count + 1 };
};

/** Four digits are more than the measurements are worth. */
const short = (value: number): number => Number(value.toPrecision(4));

type StatText = readonly [key: string, stat: readonly [number, number, number]];

export const statTexts = (stats: Stats): readonly StatText[] =>
  [...stats].map(([key, { mean, deviation, count }]) => [key, [short(mean), short(deviation), count]]);

/** The head of `stats` whose text stays within `maxBytes`: put what matters most first. */
export const fittingStats = (stats: Stats, maxBytes: number): Stats => {
  const kept = new Map<string, Stat>();
  let bytes = 2;
  for (const [key, stat] of stats) {
    bytes += Buffer.byteLength(JSON.stringify(statTexts(new Map([[key, stat]])))) - 1;
    if (bytes > maxBytes) break;
    kept.set(key, stat);
  }
  return kept;
};
