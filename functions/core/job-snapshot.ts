/** A job whole, as the first message of a subscription. */
import type { PushOf } from '../../shared-types/index.ts';
import { distinctOutputs } from './job-outputs.ts';
import type { Job, JobOutputs } from './job.ts';
import { pushBase } from './push-base.ts';

/** API Gateway takes messages of 128 KB; a snapshot with more outputs than this is cut, the task API has them all. */
const MAX_SNAPSHOT_OUTPUTS = 150;

/** `outputs` are those of the output store once the job has ended well; else the ones stored early. */
export const snapshotOf = (job: Job, outputs: JobOutputs | undefined): PushOf<'job_snapshot'> => {
  const all = outputs?.outputs ?? distinctOutputs(job.earlyOutputs);
  return {
    type: 'job_snapshot',
    ...pushBase(job),
    status: job.status,
    workflowId: job.workflowId,
    progress: job.progress,
    outputs: all.slice(0, MAX_SNAPSHOT_OUTPUTS),
    ...(all.length > MAX_SNAPSHOT_OUTPUTS ? { outputsTruncated: true } : {}),
    error: job.failure?.message ?? null,
    retryCount: job.retryCount,
    maxRetries: job.maxRetries,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    completedAt: job.completedAt,
  };
};
