import type { DetailOf } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { endGuardOf } from '../core/job-events.ts';
import type { JobFailure } from '../core/job.ts';
import { settleFailure, type SettleDependencies } from '../core/settle-failure.ts';

type EndDetail = DetailOf<'Job Failed' | 'Job Cancelled'>;

/** Names the node where there is one: that is what the user can change. */
const failureOf = (detail: DetailOf<'Job Failed'>): JobFailure => {
  const { reason, message, nodeId, nodeName, nodeType, exceptionType } = detail;
  return {
    reason,
    message: nodeName === undefined ? message : `${nodeName}: ${message}`,
    ...(nodeId === undefined ? {} : { nodeId }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(nodeType === undefined ? {} : { nodeType }),
    ...(exceptionType === undefined ? {} : { exceptionType }),
  };
};

/** An interruption that nobody asked us for is somebody else's /interrupt: the attempt is lost, the job is not. */
const cancellationOf = ({ reason }: DetailOf<'Job Cancelled'>): JobFailure =>
  reason === 'interrupted'
    ? { reason: 'interrupted', message: 'the prompt was interrupted on its worker' }
    : { reason: 'vanished', message: "the prompt was deleted from its worker's queue before it ran" };

const settle = async (detail: EndDetail, failure: JobFailure, deps: SettleDependencies): Promise<void> => {
  const job = await deps.jobs.get(detail.jobId);
  // A retry that was written but not told still has this attempt, and no worker any more: settling tells it again.
  const ours =
    job !== undefined && job.attempt === detail.attempt && [detail.workerId, null].includes(job.workerId);
  if (!ours) {
    deps.logger.info('event.stale', { jobId: detail.jobId, sequence: detail.sequence });
    return;
  }
  await settleFailure(job, failure, deps, endGuardOf(detail));
};

/** Job Failed and Job Cancelled: retry, fail, or cancel. */
export const createJobFailureHandler = (dependencies: SettleDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Job Failed', 'Job Cancelled'],
    logger: dependencies.logger,
    handle: ({ detailType, detail }) =>
      settle(detail, detailType === 'Job Failed' ? failureOf(detail) : cancellationOf(detail), dependencies),
  });
