/** A job whole, as the first message of a subscription. */
import type { PushOf } from '../../shared-types/index.ts';
import { bytesOf, fitting, MAX_PUSH_BYTES } from './fitting.ts';
import { distinctOutputs } from './job-outputs.ts';
import type { Job, JobOutputs } from './job.ts';
import { pushBase } from './push-base.ts';

/**
 * `outputs` are those of the output store once the job has ended well; else the ones stored early. What does not fit
 * into a push is left out: the task API has them all.
 */
export const snapshotOf = (job: Job, outputs: JobOutputs | undefined): PushOf<'job_snapshot'> => {
  const all = outputs?.outputs ?? distinctOutputs(job.earlyOutputs);
  const base = {
    type: 'job_snapshot',
    ...pushBase(job),
    status: job.status,
    workflowId: job.workflowId,
    progress: job.progress,
    error: job.failure?.message ?? null,
    retryCount: job.retryCount,
    maxRetries: job.maxRetries,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    completedAt: job.completedAt,
  } as const;
  const kept = fitting(all, MAX_PUSH_BYTES - bytesOf(base));
  return { ...base, outputs: kept, ...(kept.length < all.length ? { outputsTruncated: true } : {}) };
};
