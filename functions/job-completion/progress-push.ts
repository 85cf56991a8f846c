/** A change of a running job that is no progress of a node: outputs came, or ComfyUI is done. */
import { pushToFollowers, type FollowersDependencies } from '../core/followers.ts';
import { snapshotOf } from '../core/job-snapshot.ts';
import type { Job } from '../core/job.ts';
import { progressPush } from '../core/progress-push.ts';

/** Every applied change is pushed: a revision without a push would look like a lost one. */
export const pushProgress = (job: Job, deps: FollowersDependencies): Promise<void> =>
  pushToFollowers(
    job,
    job.progress === null ? snapshotOf(job, undefined) : progressPush(job, job.progress),
    deps,
  );
