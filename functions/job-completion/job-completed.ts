/**
 * ComfyUI is done: its outputs are stored, then the job ends. Every step can be repeated, so that a delivery which
 * dies anywhere is finished by the next one, and the job still ends once.
 */
import {
  outcomeOfHistory,
  outputsOfHistory,
  type DetailOf,
  type HistoryEntry,
} from '../../shared-types/index.ts';
import { copyOutputs } from '../core/copy-outputs.ts';
import { PipelineError } from '../core/errors.ts';
import { pushToFollowers } from '../core/followers.ts';
import { distinctOutputs } from '../core/job-outputs.ts';
import { ACTIVE_STATUSES, type Job, type JobOutputs, type JobUpdate } from '../core/job.ts';
import { settleFailure } from '../core/settle-failure.ts';
import { claim, standingOf } from './claim.ts';
import { completedPush, taskCompletedDetail } from './completed-messages.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { failureOf } from './history-failure.ts';
import { readHistory } from './read-history.ts';

type Detail = DetailOf<'Job Completed'>;

const tellCompleted = async (job: Job, outputs: JobOutputs, deps: CompletionDependencies): Promise<void> => {
  await pushToFollowers(job, completedPush(job, outputs), deps);
  await deps.publisher.publish([{ detailType: 'Task Completed', detail: taskCompletedDetail(job, outputs) }]);
};

const tellAgain = async (job: Job, deps: CompletionDependencies): Promise<void> =>
  tellCompleted(job, await deps.outputs.get(job.jobId, job.attempt), deps);

const endpointOf = async (workerId: string, { workers }: CompletionDependencies): Promise<string> => {
  const worker = await workers.get(workerId);
  if (worker !== undefined) return worker.endpoint;
  throw new PipelineError('worker.unknown', 'the worker of the job is not registered', { retryable: true });
};

/** The history is gone: what was copied early is all there is. */
const withoutHistory = (job: Job, detail: Detail, { logger }: CompletionDependencies): JobOutputs => {
  const outputs = distinctOutputs(job.earlyOutputs);
  const { jobId, attempt, outputCount: announced } = detail;
  logger.warn('completion.history-gone', { jobId, attempt, announced, stored: outputs.length });
  return { outputs, missingOutputs: [] };
};

const storeAll = async (
  job: Job,
  endpoint: string,
  entry: HistoryEntry,
  deps: CompletionDependencies,
): Promise<JobOutputs> => {
  const { jobId, attempt, userId, sessionId } = job;
  const found = outputsOfHistory(entry);
  const target = { jobId, userId, sessionId, endpoint, early: job.earlyOutputs };
  const copied = await copyOutputs(found, target, deps);
  const counts = { stored: copied.outputs.length, missing: copied.missingOutputs.length };
  deps.logger.info('completion.stored', { jobId, attempt, ...counts, skipped: found.skipped });
  return copied;
};

const endChange = (
  job: Job,
  detail: Detail,
  { outputs }: JobOutputs,
  deps: CompletionDependencies,
): Promise<JobUpdate> =>
  deps.jobs.update({
    guard: { jobId: job.jobId, attempt: job.attempt, statuses: ACTIVE_STATUSES },
    patch: {
      status: 'completed',
      completedAt: new Date(deps.clock.now()).toISOString(),
      storingSince: null,
      outputCount: outputs.length,
      endedByEventId: detail.eventId,
      ...(job.progress === null ? {} : { progress: { ...job.progress, overallPercentage: 100 } }),
    },
  });

const stale = (detail: Detail, { logger }: CompletionDependencies): void => {
  logger.info('event.stale', { jobId: detail.jobId, attempt: detail.attempt, eventId: detail.eventId });
};

const complete = async (
  job: Job,
  detail: Detail,
  outputs: JobOutputs,
  deps: CompletionDependencies,
): Promise<void> => {
  await deps.outputs.put(job.jobId, job.attempt, outputs);
  const ended = await endChange(job, detail, outputs, deps);
  if (ended.kind === 'applied') return tellCompleted(ended.job, outputs, deps);
  const standing = standingOf(await deps.jobs.get(job.jobId), detail);
  return standing.kind === 'completed' ? tellAgain(standing.job, deps) : stale(detail, deps);
};

const store = async (job: Job, detail: Detail, deps: CompletionDependencies): Promise<void> => {
  const endpoint = await endpointOf(detail.workerId, deps);
  const entry = await readHistory(endpoint, detail.promptId, deps);
  if (entry === undefined) return complete(job, detail, withoutHistory(job, detail, deps), deps);
  const failure = failureOf(outcomeOfHistory(entry));
  if (failure === undefined) return complete(job, detail, await storeAll(job, endpoint, entry, deps), deps);
  deps.logger.warn('completion.contradicted', {
    jobId: job.jobId,
    attempt: job.attempt,
    reason: failure.reason,
  });
  return settleFailure(job, failure, deps);
};

/** @throws PipelineError (retryable) when the worker, or anything of ours, cannot be reached: deliver again */
export const onJobCompleted = async (detail: Detail, deps: CompletionDependencies): Promise<void> => {
  const claimed = await claim(detail, deps);
  switch (claimed.kind) {
    case 'claimed':
      return store(claimed.job, detail, deps);
    case 'completed':
      return tellAgain(claimed.job, deps);
    case 'failed':
      // Settling again changes nothing, and tells what may not have been told.
      return settleFailure(
        claimed.job,
        claimed.job.failure ?? { reason: 'interrupted', message: 'the attempt did not succeed' },
        deps,
      );
    case 'stale':
      return stale(detail, deps);
  }
};
