/** What a monitor's event changes on its job. States move forward only; a late event finds its condition broken. */
import type { DetailOf, JobProgress, JobStatus, MonitorDetailType } from '../../shared-types/index.ts';
import { ACTIVE_STATUSES, type Job, type JobChange, type JobGuard, type JobPatch } from './job.ts';
import { progressMessage } from './progress-message.ts';

type JobDetailType = Exclude<MonitorDetailType, `Monitor ${string}`>;

/**
 * The condition of every job event: this attempt, this worker (the lease holder), this prompt, and newer than
 * what was applied. It gives idempotence, order, and protection from a forged worker.
 */
export const guardOf = (
  detail: Pick<DetailOf<JobDetailType>, 'jobId' | 'attempt' | 'workerId' | 'promptId' | 'sequence'>,
  statuses: readonly JobStatus[] = ACTIVE_STATUSES,
): JobGuard => ({
  jobId: detail.jobId,
  statuses,
  attempt: detail.attempt,
  workerId: detail.workerId,
  promptId: detail.promptId,
  eventSequenceBelow: detail.sequence,
});

/**
 * The condition of an event whose order does not matter. One that ends an attempt is such: an attempt ends once, and
 * a sequence that ran ahead must not keep it running for ever.
 */
export const endGuardOf = (detail: Parameters<typeof guardOf>[0]): JobGuard => {
  const { eventSequenceBelow: _order, ...guard } = guardOf(detail);
  return guard;
};

/**
 * An attempt of a few seconds is over before the sweep looks after its start. Never later than it was due anyhow: a
 * cancellation that comes meanwhile is not made to wait.
 */
const dueOf = (
  { timestamp }: DetailOf<'Job Started'>,
  { timeoutSeconds, dueAt }: Pick<Job, 'timeoutSeconds' | 'dueAt'>,
): Pick<JobPatch, 'dueAt'> => {
  const end = new Date(Date.parse(timestamp) + timeoutSeconds * 1000).toISOString();
  return dueAt !== null && end < dueAt ? { dueAt: end } : {};
};

/** @param before the job as it was read before, from which it is known how long the attempt may take */
export const startedChange = (
  detail: DetailOf<'Job Started'>,
  before: Pick<Job, 'timeoutSeconds' | 'dueAt'>,
): JobChange => ({
  guard: guardOf(detail),
  patch: {
    status: 'running',
    startedAt: detail.timestamp,
    eventSequence: detail.sequence,
    ...dueOf(detail, before),
  },
});

/** `Job Started` after the progress that it should have preceded: only the instant is news. */
export const lateStartChange = (
  detail: DetailOf<'Job Started'>,
  before: Pick<Job, 'timeoutSeconds' | 'dueAt'>,
): JobChange => ({
  guard: endGuardOf(detail),
  patch: { startedAt: detail.timestamp, ...dueOf(detail, before) },
});

export const progressOf = (detail: DetailOf<'Node Progress Update'>): JobProgress => {
  const { nodeId, displayNodeId, nodeName, nodeType, nodeProgress, nodeMaxProgress, nodePercentage } = detail;
  const { nodeState, parentNodeId, realNodeId, overallPercentage, completedNodes, cachedNodes } = detail;
  const { totalNodes, runningNodes, eta } = detail;
  return {
    nodeId,
    displayNodeId,
    nodeName,
    nodeType,
    nodeProgress,
    nodeMaxProgress,
    nodePercentage,
    nodeState,
    ...(parentNodeId === undefined ? {} : { parentNodeId }),
    ...(realNodeId === undefined ? {} : { realNodeId }),
    overallPercentage,
    completedNodes,
    cachedNodes,
    totalNodes,
    runningNodes,
    ...(eta === undefined ? {} : { eta }),
    message: progressMessage(detail),
  };
};

/** Progress makes a job running as well: `Job Started` may come later, or be lost. */
export const progressChange = (detail: DetailOf<'Node Progress Update'>): JobChange => ({
  guard: guardOf(detail),
  patch: { status: 'running', progress: progressOf(detail), eventSequence: detail.sequence },
});
