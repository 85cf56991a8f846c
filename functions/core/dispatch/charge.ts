/** Charges a dispatch to the share of its user, and takes the charge back. */
import type { Job } from '../job.ts';
import type { UserShare } from '../ports.ts';
import { costOf, startTagOf } from './choose-user.ts';
import type { Pass } from './pass.ts';
import type { DispatchDependencies } from './ports.ts';

export type Charged =
  | { readonly kind: 'charged' }
  /** The share has changed since it was read: whose turn it is may have changed too. */
  | { readonly kind: 'contended' }
  /** Another dispatcher has this job in hand. */
  | { readonly kind: 'inHand' };

/** A charge of an attempt that the job has left behind holds nothing any more. */
const dropOldCharge = async (job: Job, share: UserShare, deps: DispatchDependencies): Promise<boolean> => {
  const old = share.active.find(({ jobId, attempt }) => jobId === job.jobId && attempt <= job.attempt);
  if (old === undefined) return false;
  await deps.shares.release(share.userId, old.jobId, old.attempt, null);
  return true;
};

/** Why the claim was refused. The share is read anew, so that the next choice is made on what is so now. */
const refusalOf = async (job: Job, pass: Pass, deps: DispatchDependencies): Promise<Charged> => {
  const fresh = await pass.refreshShare(job.userId);
  if (fresh === undefined || !fresh.active.some(({ jobId }) => jobId === job.jobId))
    return { kind: 'contended' };
  if (!(await dropOldCharge(job, fresh, deps))) return { kind: 'inHand' };
  await pass.refreshShare(job.userId);
  return { kind: 'contended' };
};

/** Charges the next attempt of a pending job: one conditional write that holds order and cap. */
export const chargeShare = async (
  job: Job,
  share: UserShare,
  pass: Pass,
  deps: DispatchDependencies,
): Promise<Charged> => {
  const startMs = startTagOf(share, pass.virtualTime());
  const charge = { jobId: job.jobId, attempt: job.attempt + 1, chargedMs: costOf(share) };
  const cap = deps.limits.maxRunningPerUser;
  if (!(await deps.shares.claim(share, { ...charge, startMs, cap }))) return refusalOf(job, pass, deps);
  pass.setShare({
    ...share,
    startMs,
    finishMs: startMs + charge.chargedMs,
    active: [...share.active, charge],
  });
  return { kind: 'charged' };
};
