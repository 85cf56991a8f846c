/** A change that the sweep makes to a job which goes on. */
import { pushToFollowers } from '../followers.ts';
import { activeGuard, unchangedGuard } from '../job-guards.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job, JobPatch } from '../job.ts';
import type { DispatchDependencies } from './ports.ts';

/**
 * Due at the next sweep: a little less than the minute between two, for what is written during a sweep falls due that
 * much later than the sweep began.
 */
export const NEXT_SWEEP_MS = 50_000;
/** An interruption takes effect between two nodes, or steps of a sampler; then a worker counts as stuck. */
export const ENDING_MS: number = 50_000;

/** A cancellation came between the reading and the writing, and must not wait for what was written. */
const keepEndingDue = async (before: Job, after: Job, deps: DispatchDependencies): Promise<Job> => {
  if (before.endingSince !== null || after.endingSince === null) return after;
  const dueAt = new Date(Date.parse(after.endingSince) + ENDING_MS).toISOString();
  const updated = await deps.jobs.update({ guard: activeGuard(after), patch: { dueAt } });
  return updated.kind === 'applied' ? updated.job : after;
};

/** Applies unless the job was heard of meanwhile; pushed, because a revision without a push looks like a lost one. */
export const moveOn = async (
  job: Job,
  patch: JobPatch,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const updated = await deps.jobs.update({ guard: unchangedGuard(job), patch });
  if (updated.kind === 'refused') return undefined;
  const moved = patch.endingSince === undefined ? await keepEndingDue(job, updated.job, deps) : updated.job;
  await pushToFollowers(moved, snapshotOf(moved, undefined), deps);
  return moved;
};

/** The sweep looks at it again, not before `ms` from now. */
export const postpone = async (job: Job, ms: number, deps: DispatchDependencies): Promise<void> => {
  await moveOn(job, { dueAt: new Date(deps.clock.now() + ms).toISOString() }, deps);
};
