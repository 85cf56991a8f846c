/** What the end of an attempt does to its user's share; one rule for the table and for its fake. */
import type { Charge, UserShare } from '../../core/ports.ts';

/** How much the latest duration weighs in the moving average. */
const LATEST_WEIGHT = 0.3;
/** One duration counts as at most so many times the average, once so many jobs are in it. */
const OUTLIER = { times: 4, count: 3 } as const;
/** Up to this (ms) no duration is cut: jobs that came from the cache say nothing of one that does not. */
const NEVER_OUTLIER_MS = 10_000;

export interface SettledTags {
  readonly finishMs: number;
  readonly averageMs: number | null;
  readonly averagedJobs: number;
}

/** A user of whom nothing is known yet. */
export const emptyShare = (userId: string): UserShare => ({
  userId,
  waitingStamp: null,
  paused: false,
  finishMs: 0,
  startMs: 0,
  averageMs: null,
  active: [],
});

/** The moving average after one more job; a job that was held up for hours does not decide what the next are told. */
const averageAfter = (averageMs: number | null, averagedJobs: number, actualMs: number): number => {
  if (averageMs === null) return actualMs;
  const most =
    averagedJobs < OUTLIER.count ? Infinity : Math.max(OUTLIER.times * averageMs, NEVER_OUTLIER_MS);
  return averageMs + LATEST_WEIGHT * (Math.min(actualMs, most) - averageMs);
};

/**
 * Charges what the attempt really took in place of what it was expected to take.
 * @param actualMs 0: it never ran, so the whole charge is given back; null: nobody knows, so the charge stands. Neither
 *   says how long the user's jobs take, so the average stays. What is charged is never cut, only what is averaged.
 */
export const settledTags = (
  { finishMs, startMs, averageMs, averagedJobs = 0 }: UserShare,
  { chargedMs }: Charge,
  actualMs: number | null,
): SettledTags => {
  if (actualMs === null) return { finishMs, averageMs, averagedJobs };
  const corrected = Math.max(startMs, finishMs + actualMs - chargedMs);
  if (actualMs <= 0) return { finishMs: corrected, averageMs, averagedJobs };
  const average = averageAfter(averageMs, averagedJobs, actualMs);
  return { finishMs: corrected, averageMs: average, averagedJobs: averagedJobs + 1 };
};
