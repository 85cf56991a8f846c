import type { DetailOf } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { pushToFollowers, type FollowersDependencies } from '../core/followers.ts';
import { progressChange, progressOf } from '../core/job-events.ts';
import { nodeRecordOf } from '../core/node-records.ts';
import type { JobStore, NodeTransition, TimelineStore } from '../core/ports.ts';
import { progressPush } from '../core/progress-push.ts';
import { pushBase } from '../core/push-base.ts';

export interface JobProgressDependencies extends FollowersDependencies {
  readonly jobs: JobStore;
  readonly timeline: TimelineStore;
}

const applyProgress = async (
  detail: DetailOf<'Node Progress Update'>,
  deps: JobProgressDependencies,
): Promise<void> => {
  const updated = await deps.jobs.update(progressChange(detail));
  if (updated.kind === 'applied')
    await pushToFollowers(updated.job, progressPush(updated.job, progressOf(detail)), deps);
  else deps.logger.info('event.stale', { jobId: detail.jobId, sequence: detail.sequence });
};

const executing = (detail: DetailOf<'Node Executing'>): NodeTransition[] =>
  detail.nodes.map(({ nodeId, nodeName, nodeType, startedAt }) => ({
    nodeId,
    nodeName,
    nodeType,
    state: 'executing',
    at: startedAt,
  }));

const executed = (detail: DetailOf<'Node Executed'>): NodeTransition[] =>
  detail.nodes.map(({ nodeId, nodeName, nodeType, finishedAt, durationMs, cached }) => ({
    nodeId,
    nodeName,
    nodeType,
    state: 'executed',
    at: finishedAt,
    cached,
    ...(durationMs === undefined ? {} : { durationMs }),
  }));

/** Transitions are facts about an attempt, true in any order; only their attempt and worker must be the job's own. */
const recordTransitions = async (
  detail: DetailOf<'Node Executing' | 'Node Executed'>,
  transitions: readonly NodeTransition[],
  deps: JobProgressDependencies,
): Promise<void> => {
  const job = await deps.jobs.get(detail.jobId);
  const isOfAttempt =
    job?.attempt === detail.attempt && job.workerId === detail.workerId && job.promptId === detail.promptId;
  if (job === undefined || !isOfAttempt) {
    deps.logger.info('event.stale', { jobId: detail.jobId, sequence: detail.sequence });
    return;
  }
  await deps.timeline.append(detail.jobId, detail.attempt, detail.sequence, transitions);
  // No new state: the push adds to the one that the job has, and bears its sequence.
  const nodes = transitions.map(nodeRecordOf);
  await pushToFollowers(job, { type: 'job_nodes', ...pushBase(job), nodes }, deps);
};

/** Node Progress Update moves the job on; Node Executing and Node Executed write its timeline. */
export const createJobProgressHandler = (dependencies: JobProgressDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Node Progress Update', 'Node Executing', 'Node Executed'],
    logger: dependencies.logger,
    handle: async (event) => {
      switch (event.detailType) {
        case 'Node Progress Update':
          return applyProgress(event.detail, dependencies);
        case 'Node Executing':
          return recordTransitions(event.detail, executing(event.detail), dependencies);
        case 'Node Executed':
          return recordTransitions(event.detail, executed(event.detail), dependencies);
      }
    },
  });
