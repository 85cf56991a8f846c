/** A picture while sampling, from the monitor to whoever asked for pictures of the job. Nothing of it is kept. */
import {
  previewRequestSchema,
  type PreviewAnswer,
  type PreviewRequest,
  type PushOf,
} from '../../shared-types/index.ts';
import { pushToConnections, type FollowersDependencies } from './followers.ts';
import { ACTIVE_STATUSES, type Job } from './job.ts';
import type { Clock, JobStore } from './ports.ts';
import { pushBase } from './push-base.ts';

export interface PushPreviewDependencies extends FollowersDependencies {
  readonly jobs: Pick<JobStore, 'get'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** A late picture, or one of a forged worker, must not show up in another attempt. */
const isOfAttempt = (job: Job, request: PreviewRequest): boolean =>
  job.attempt === request.attempt &&
  job.workerId === request.workerId &&
  job.promptId === request.promptId &&
  job.storingSince === null &&
  ACTIVE_STATUSES.some((status) => status === job.status);

const messageOf = (
  job: Job,
  { nodeId, mimeType }: PreviewRequest,
  image: string,
  now: number,
): PushOf<'job_preview'> => ({
  type: 'job_preview',
  ...pushBase(job),
  timestamp: new Date(now).toISOString(),
  nodeId,
  mimeType,
  image,
});

/**
 * Answers how many connections want pictures of the job, 0 for a request that is not about its present attempt or
 * that cannot be read: its sender has nothing to repeat. Throws when the table cannot be read.
 */
export const pushPreview = async (
  input: unknown,
  dependencies: PushPreviewDependencies,
): Promise<PreviewAnswer> => {
  const { jobs, clock, logger } = dependencies;
  const read = previewRequestSchema.safeParse(input);
  if (!read.success) {
    const keys = read.error.issues.map(({ path }) => path.join('.'));
    logger.warn('preview.unreadable', { keys: [...new Set(keys)] });
    return { watchers: 0 };
  }
  const { jobId, image } = read.data;
  const job = await jobs.get(jobId);
  if (job === undefined || !isOfAttempt(job, read.data)) return { watchers: 0 };
  const { previewConnections: watchers } = job;
  if (image === null) return { watchers: watchers.length };
  const message = messageOf(job, read.data, image, clock.now());
  return { watchers: await pushToConnections(job, watchers, message, dependencies) };
};
