/** A change that the sweep makes to a job which goes on. */
import { pushToFollowers } from '../followers.ts';
import { unchangedGuard } from '../job-guards.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job, JobPatch } from '../job.ts';
import type { DispatchDependencies } from './ports.ts';

/** Applies unless the job was heard of meanwhile; pushed, because a revision without a push looks like a lost one. */
export const moveOn = async (
  job: Job,
  patch: JobPatch,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const updated = await deps.jobs.update({ guard: unchangedGuard(job), patch });
  if (updated.kind === 'refused') return undefined;
  await pushToFollowers(updated.job, snapshotOf(updated.job, undefined), deps);
  return updated.job;
};

/** The sweep looks at it again, not before `ms` from now. */
export const postpone = async (job: Job, ms: number, deps: DispatchDependencies): Promise<void> => {
  await moveOn(job, { dueAt: new Date(deps.clock.now() + ms).toISOString() }, deps);
};
