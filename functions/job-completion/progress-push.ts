/** A change of a running job that is no progress of a node: outputs came, or ComfyUI is done. */
import type { JobPush } from '../../shared-types/index.ts';
import { pushToFollowers, type FollowersDependencies } from '../core/followers.ts';
import { distinctOutputs } from '../core/job-outputs.ts';
import { snapshotOf } from '../core/job-snapshot.ts';
import type { Job } from '../core/job.ts';
import { pushBase } from '../core/push-base.ts';

/** Every applied change is pushed: a revision without a push would look like a lost one. */
const messageOf = (job: Job): JobPush => {
  if (job.progress === null) return snapshotOf(job, undefined);
  const outputs = distinctOutputs(job.earlyOutputs);
  const base = { type: 'job_progress', ...job.progress, ...pushBase(job) } as const;
  return outputs.length === 0 ? base : { ...base, outputs };
};

export const pushProgress = (job: Job, deps: FollowersDependencies): Promise<void> =>
  pushToFollowers(job, messageOf(job), deps);
