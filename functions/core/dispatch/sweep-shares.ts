/** Charges of attempts that have left their workers: a user must not stay at the cap for what is over. */
import type { Charge, UserShare } from '../ports.ts';
import { hasLeft } from './holding.ts';
import type { DispatchDependencies } from './ports.ts';

/** From the charge to the claim of a slot: two writes, milliseconds apart when nothing is repeated. */
const IN_HAND_MS = 15_000;

interface Suspect {
  readonly userId: string;
  readonly charge: Charge;
}

type Standing = 'held' | 'left' | 'inHand';

/** A slot that is held is the worker sweep's, and the charge goes with it. */
const standingOf = async (
  { charge: { jobId, attempt } }: Suspect,
  slots: ReadonlySet<string>,
  { jobs }: DispatchDependencies,
): Promise<Standing> => {
  if (slots.has(`${jobId}/${attempt}`)) return 'held';
  const job = await jobs.get(jobId);
  if (!hasLeft(job, attempt)) return 'held';
  return job?.status === 'pending' && attempt === job.attempt + 1 ? 'inHand' : 'left';
};

const slotsOf = async ({ workers }: DispatchDependencies): Promise<ReadonlySet<string>> =>
  new Set(
    (await workers.list()).flatMap(({ held }) => held.map(({ jobId, attempt }) => `${jobId}/${attempt}`)),
  );

const release = async (
  { userId, charge: { jobId, attempt } }: Suspect,
  deps: DispatchDependencies,
): Promise<void> => {
  if (await deps.shares.release(userId, jobId, attempt, null))
    deps.logger.info('share.released', { userId, jobId, attempt });
};

/** Releases what has left, and answers what a dispatcher may have in hand just now. */
const sweepOnce = async (
  suspects: readonly Suspect[],
  deps: DispatchDependencies,
): Promise<readonly Suspect[]> => {
  const slots = await slotsOf(deps);
  const inHand: Suspect[] = [];
  for (const suspect of suspects) {
    const standing = await standingOf(suspect, slots, deps);
    if (standing === 'left') await release(suspect, deps);
    if (standing === 'inHand') inHand.push(suspect);
  }
  return inHand;
};

const suspectsOf = (users: readonly UserShare[]): readonly Suspect[] =>
  users.flatMap(({ userId, active }) => active.map((charge) => ({ userId, charge })));

/**
 * A charge without a slot is a dispatch on its way, or one that died on it: a charge carries no time, so it is looked
 * at again a little later, and what has not moved on by then is released.
 */
export const sweepShares = async (deps: DispatchDependencies): Promise<void> => {
  const { users } = await deps.shares.list();
  const inHand = await sweepOnce(suspectsOf(users), deps);
  if (inHand.length === 0) return;
  await deps.clock.sleep(IN_HAND_MS);
  for (const suspect of await sweepOnce(inHand, deps)) await release(suspect, deps);
};
