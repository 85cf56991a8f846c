/** What the end of an attempt does to its user's share; one rule for the table and for its fake. */
import type { Charge, UserShare } from '../../core/ports.ts';

/** How much the latest duration weighs in the moving average. */
const LATEST_WEIGHT = 0.3;

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

/**
 * Charges what the attempt really took in place of what it was expected to take.
 * @param actualMs 0: it never ran, so the whole charge is given back; null: nobody knows, so the charge stands. Neither
 *   says how long the user's jobs take, so the average stays.
 */
export const settledTags = (
  { finishMs, startMs, averageMs }: UserShare,
  { chargedMs }: Charge,
  actualMs: number | null,
): Pick<UserShare, 'finishMs' | 'averageMs'> => {
  if (actualMs === null) return { finishMs, averageMs };
  const corrected = Math.max(startMs, finishMs + actualMs - chargedMs);
  if (actualMs <= 0) return { finishMs: corrected, averageMs };
  const average = averageMs === null ? actualMs : averageMs + LATEST_WEIGHT * (actualMs - averageMs);
  return { finishMs: corrected, averageMs: average };
};
