/** What a day costs: money that was spent, and money that is promised until the leases end. */
import type { Instance } from './ports.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Something that costs from then to then; milliseconds since the epoch, US dollars. */
export interface Commitment {
  readonly from: number;
  readonly until: number;
  readonly pricePerHour: number;
}

/**
 * An ended instance cost what it cost; any other is counted to the end of its lease, or to now where the lease is
 * over. What was not confirmed counts as if it ran.
 */
export const commitmentOf = (
  { createdAt, launchedAt, leaseUntil, endedAt, pricePerHour }: Instance,
  now: number,
): Commitment => ({
  from: Math.min(Date.parse(launchedAt ?? createdAt), Date.parse(createdAt)),
  until: endedAt === null ? Math.max(Date.parse(leaseUntil), now) : Date.parse(endedAt),
  pricePerHour,
});

const dayOf = (at: number): number => Math.floor(at / DAY_MS) * DAY_MS;

/** US dollars of the UTC day that begins at `day`. */
export const costOfDay = (commitments: readonly Commitment[], day: number): number =>
  commitments.reduce((sum, { from, until, pricePerHour }) => {
    const overlap = Math.min(until, day + DAY_MS) - Math.max(from, day);
    return sum + (Math.max(0, overlap) / HOUR_MS) * pricePerHour;
  }, 0);

/** A cent's hundredth: sums of floats must not refuse what fits exactly. */
const TOLERANCE_USD = 1e-6;

/** Whether no UTC day that the new one touches comes to more than the budget. */
export const fitsBudget = (
  commitments: readonly Commitment[],
  added: Commitment,
  budgetUsdPerDay: number | null,
): boolean => {
  if (budgetUsdPerDay === null) return true;
  const all = [...commitments, added];
  for (let day = dayOf(added.from); day < added.until; day += DAY_MS) {
    if (costOfDay(all, day) > budgetUsdPerDay + TOLERANCE_USD) return false;
  }
  return true;
};

/** US dollars committed today (UTC), for logs. */
export const committedToday = (instances: readonly Instance[], now: number): number =>
  costOfDay(
    instances.map((instance) => commitmentOf(instance, now)),
    dayOf(now),
  );
