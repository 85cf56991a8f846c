import type { DetailOf, PushOf } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { pushToFollowers, type FollowersDependencies } from '../core/followers.ts';
import { lateStartChange, startedChange } from '../core/job-events.ts';
import type { Job, JobUpdate } from '../core/job.ts';
import type { JobStore } from '../core/ports.ts';
import { pushBase } from '../core/push-base.ts';

export interface JobStartDependencies extends FollowersDependencies {
  readonly jobs: JobStore;
}

const startedMessage = ({ totalNodes, cachedNodes }: DetailOf<'Job Started'>): string => {
  if (totalNodes === 0) return 'Started';
  const nodes = `Started: ${totalNodes} node${totalNodes === 1 ? '' : 's'}`;
  return cachedNodes === 0 ? nodes : `${nodes}, ${cachedNodes} cached`;
};

const startedPush = (job: Job, detail: DetailOf<'Job Started'>): PushOf<'job_started'> => ({
  type: 'job_started',
  ...pushBase(job),
  message: startedMessage(detail),
  totalNodes: detail.totalNodes,
  cachedNodes: detail.cachedNodes,
});

/** Where its progress came first, that it started is still news, and takes nothing back. */
const change = async (
  detail: DetailOf<'Job Started'>,
  { jobs }: JobStartDependencies,
): Promise<JobUpdate> => {
  const before = await jobs.get(detail.jobId);
  if (before === undefined) return { kind: 'refused' };
  const updated = await jobs.update(startedChange(detail, before));
  if (updated.kind === 'applied') return updated;
  const fresh = await jobs.get(detail.jobId);
  if (fresh === undefined || fresh.startedAt !== null) return { kind: 'refused' };
  return jobs.update(lateStartChange(detail, fresh));
};

const apply = async (detail: DetailOf<'Job Started'>, deps: JobStartDependencies): Promise<void> => {
  const updated = await change(detail, deps);
  if (updated.kind === 'applied') await pushToFollowers(updated.job, startedPush(updated.job, detail), deps);
  else deps.logger.info('event.stale', { jobId: detail.jobId, sequence: detail.sequence });
};

/** Job Started: the job runs. */
export const createJobStartHandler = (dependencies: JobStartDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Job Started'],
    logger: dependencies.logger,
    handle: ({ detail }) => apply(detail, dependencies),
  });
