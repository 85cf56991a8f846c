/**
 * What an instance says of itself, in its name: neither Novita nor RunPod has tags, and the name is what both return
 * in every list. `cw1_<pool>_<workerId>_<launchedAt>_<leaseUntil>_<price>`: times as milliseconds since the epoch and
 * the price as hundred-thousandths of a dollar an hour (`-` when unknown), all three in base 36. Pool and worker id
 * have letters, digits and dashes only, so that the underscore parts them for certain. At most 165 characters: RunPod
 * takes 191 (https://docs.runpod.io/api-reference/pods/POST/pods) and Novita 255
 * (https://novita.ai/docs/api-reference/gpu-instance-create-instance).
 */

export interface InstanceName {
  /** Letters, digits, dash; at most 63. */
  readonly pool: string;
  /** Letters, digits, dash; at most 63. */
  readonly workerId: string;
  /** Milliseconds since the epoch. */
  readonly launchedAt: number;
  /** Milliseconds since the epoch. */
  readonly leaseUntil: number;
  /** US dollars an hour; null when it was not known at the launch. */
  readonly pricePerHour: number | null;
}

/** Hundred-thousandths of a dollar, the unit in which Novita tells its prices. */
export const PRICE_UNITS_PER_DOLLAR = 100_000;

const NAME =
  /^cw1_([A-Za-z0-9][A-Za-z0-9-]{0,62})_([A-Za-z0-9][A-Za-z0-9-]{0,62})_([0-9a-z]{1,9})_([0-9a-z]{1,9})_(-|[0-9a-z]{1,9})$/;

const priceText = (price: number | null): string =>
  price === null ? '-' : Math.round(price * PRICE_UNITS_PER_DOLLAR).toString(36);

/** Pool and worker id must have been checked; times are whole milliseconds from 0 on. */
export const instanceNameOf = (told: InstanceName): string =>
  [
    'cw1',
    told.pool,
    told.workerId,
    told.launchedAt.toString(36),
    told.leaseUntil.toString(36),
    priceText(told.pricePerHour),
  ].join('_');

/** Undefined for a name that this control plane did not give: such an instance is not ours to touch. */
export const readInstanceName = (name: string): InstanceName | undefined => {
  const [, pool, workerId, launched = '', lease = '', price = ''] = NAME.exec(name) ?? [];
  if (pool === undefined || workerId === undefined) return undefined;
  const launchedAt = Number.parseInt(launched, 36);
  const leaseUntil = Number.parseInt(lease, 36);
  const pricePerHour = price === '-' ? null : Number.parseInt(price, 36) / PRICE_UNITS_PER_DOLLAR;
  return { pool, workerId, launchedAt, leaseUntil, pricePerHour };
};
