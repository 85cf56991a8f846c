/** A job whole, as the first message of a subscription. */
import type { NodeRecord, PushOf } from '../../shared-types/index.ts';
import { bytesOf, fitting, MAX_PUSH_BYTES } from './fitting.ts';
import { failurePlaceOf } from './job-failure.ts';
import { distinctOutputs } from './job-outputs.ts';
import type { Job, JobOutputs } from './job.ts';
import { pushBase } from './push-base.ts';
import type { TaskOutlook } from './task-outlook.ts';

/** What a subscriber is told besides: it has seen nothing of the job yet. */
export interface SnapshotDetails {
  readonly nodes: readonly NodeRecord[];
  readonly outlook: TaskOutlook;
}

/** An estimate of one number, as honest as it is: a third to either side. */
const etaOf = ({ etaSeconds }: TaskOutlook) =>
  etaSeconds === null
    ? null
    : { lowSeconds: Math.floor((etaSeconds * 2) / 3), highSeconds: Math.ceil((etaSeconds * 4) / 3) };

const detailsOf = (job: Job, { nodes, outlook }: SnapshotDetails) => ({
  nodes: [...nodes],
  queuePosition: outlook.queuePosition,
  eta: job.progress?.eta ?? etaOf(outlook),
});

/**
 * `outputs` are those of the output store once the job has ended well; else the ones stored early. What does not fit
 * into a push is left out: the task API has them all.
 */
export const snapshotOf = (
  job: Job,
  outputs: JobOutputs | undefined,
  details?: SnapshotDetails,
): PushOf<'job_snapshot'> => {
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
    ...(job.status === 'failed' && job.failure !== null ? { failure: failurePlaceOf(job.failure) } : {}),
    ...(details === undefined ? {} : detailsOf(job, details)),
  } as const;
  const kept = fitting(all, MAX_PUSH_BYTES - bytesOf(base));
  return { ...base, outputs: kept, ...(kept.length < all.length ? { outputsTruncated: true } : {}) };
};
