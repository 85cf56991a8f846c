/**
 * ComfyUI is done: its outputs are stored, then the job ends. Every step can be repeated, so that a delivery which
 * dies anywhere is finished by the next one, and the job still ends once.
 */
import {
  outcomeOfHistory,
  outputsOfHistory,
  queuedPromptOf,
  type HistoryEntry,
  type JobProgress,
} from '../../shared-types/index.ts';
import { copyOutputs } from '../core/copy-outputs.ts';
import { endedAttempt } from '../core/ended-attempt.ts';
import { PipelineError } from '../core/errors.ts';
import { learnAttempt } from '../core/estimate/learn-attempt.ts';
import { UNKNOWN_KIND } from '../core/estimate/worker-kind.ts';
import { pushToFollowers } from '../core/followers.ts';
import { distinctOutputs } from '../core/job-outputs.ts';
import { activeGuard } from '../core/job-guards.ts';
import type { Job, JobFailure, JobOutputs, JobUpdate } from '../core/job.ts';
import { progressMessage } from '../core/progress-message.ts';
import { settleFailure } from '../core/settle-failure.ts';
import type { Worker } from '../core/worker.ts';
import { claim, standingOf, type Finish } from './claim.ts';
import { completedPush, taskCompletedDetail } from './completed-messages.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { failureOfHistory } from '../core/history-failure.ts';
import { withPatience } from './patience.ts';
import { readHistory } from './read-history.ts';

const HISTORY_GONE = 'ComfyUI finished the prompt, and its history is gone';

const tellCompleted = async (job: Job, outputs: JobOutputs, deps: CompletionDependencies): Promise<void> => {
  await pushToFollowers(job, completedPush(job, outputs), deps);
  await deps.publisher.publish([{ detailType: 'Task Completed', detail: taskCompletedDetail(job, outputs) }]);
};

const tellAgain = async (job: Job, deps: CompletionDependencies): Promise<void> =>
  tellCompleted(job, await deps.outputs.get(job.jobId, job.attempt), deps);

const workerOf = async (workerId: string, { workers }: CompletionDependencies): Promise<Worker> => {
  const worker = await workers.get(workerId);
  if (worker !== undefined) return worker;
  throw new PipelineError('worker.unknown', 'the worker of the job is not registered', { retryable: true });
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

/** Whoever looks later finds nothing at work: the last report was of a moment before the end. */
const finishedProgress = (progress: JobProgress, { nodes }: Finish): JobProgress => {
  const { completedNodes, cachedNodes, totalNodes } = nodes ?? {
    ...progress,
    completedNodes: progress.totalNodes,
  };
  const node = {
    ...progress,
    nodeProgress: progress.nodeMaxProgress,
    nodePercentage: 100,
    nodeState: 'finished' as const,
  };
  const counts = { overallPercentage: 100, completedNodes, cachedNodes, totalNodes };
  return { ...node, ...counts, runningNodes: [], message: progressMessage(node) };
};

const endChange = (
  job: Job,
  finish: Finish,
  { outputs }: JobOutputs,
  deps: CompletionDependencies,
): Promise<JobUpdate> => {
  const completedAt = new Date(deps.clock.now()).toISOString();
  return deps.jobs.update({
    guard: activeGuard(job),
    patch: {
      status: 'completed',
      completedAt,
      storingSince: null,
      dueAt: null,
      addAttempt: endedAttempt(job, 'completed', null, completedAt),
      outputCount: outputs.length,
      endedByEventId: finish.eventId,
      ...(job.progress === null ? {} : { progress: finishedProgress(job.progress, finish) }),
    },
  });
};

const stale = (finish: Finish, { logger }: CompletionDependencies): void => {
  logger.info('event.stale', { jobId: finish.jobId, attempt: finish.attempt, eventId: finish.eventId });
};

/** Answers whether it was this call that ended the job. */
const complete = async (
  job: Job,
  finish: Finish,
  outputs: JobOutputs,
  deps: CompletionDependencies,
): Promise<boolean> => {
  await deps.outputs.put(job.jobId, job.attempt, outputs);
  const ended = await endChange(job, finish, outputs, deps);
  if (ended.kind === 'applied') {
    await tellCompleted(ended.job, outputs, deps);
    return true;
  }
  const standing = standingOf(await deps.jobs.get(job.jobId), finish);
  if (standing.kind === 'completed') await tellAgain(standing.job, deps);
  else stale(finish, deps);
  return false;
};

/**
 * The history is gone, or the worker is: what was copied early is all there is. Nothing at all, where something was
 * announced, is a failed attempt; less than was announced is said.
 */
const completeWithEarly = async (
  job: Job,
  finish: Finish,
  failure: JobFailure,
  deps: CompletionDependencies,
): Promise<void> => {
  const outputs = distinctOutputs(job.earlyOutputs);
  const { jobId, attempt, outputCount: announced } = finish;
  deps.logger.warn('completion.history-gone', { jobId, attempt, announced, stored: outputs.length });
  if (outputs.length === 0 && announced > 0) return settleFailure(job, failure, deps);
  const error = `${failure.message}: ${announced - outputs.length} of ${announced} outputs are lost`;
  const lost = { nodeId: '', outputKey: '', index: 0, filename: '', error: error.slice(0, 512) };
  await complete(job, finish, { outputs, missingOutputs: outputs.length < announced ? [lost] : [] }, deps);
};

/**
 * Only the call that ended the job, so that a second delivery teaches nothing twice. What was not heard teaches nothing:
 * of nodes that nobody watched no times are known.
 */
const completeAndLearn = async (
  job: Job,
  finish: Finish,
  worker: Worker,
  entry: HistoryEntry,
  deps: CompletionDependencies,
): Promise<void> => {
  const outputs = await storeAll(job, worker.endpoint, entry, deps);
  const isEnded = await complete(job, finish, outputs, deps);
  if (!isEnded || finish.nodes === null || entry.prompt === undefined) return;
  const { jobId, attempt, durationMs } = finish;
  const { workflow } = queuedPromptOf(entry.prompt);
  const kind = worker.kind ?? UNKNOWN_KIND;
  await learnAttempt({ jobId, attempt, durationMs, workflow, kind }, deps);
};

const store = async (job: Job, finish: Finish, deps: CompletionDependencies): Promise<void> => {
  const worker = await workerOf(finish.workerId, deps);
  const entry = await readHistory(worker.endpoint, finish.promptId, deps);
  if (entry === undefined) {
    return completeWithEarly(job, finish, { reason: 'vanished', message: HISTORY_GONE }, deps);
  }
  const failure = failureOfHistory(outcomeOfHistory(entry));
  if (failure === undefined) return completeAndLearn(job, finish, worker, entry, deps);
  deps.logger.warn('completion.contradicted', {
    jobId: job.jobId,
    attempt: job.attempt,
    reason: failure.reason,
  });
  return settleFailure(job, failure, deps);
};

const storePatiently = (job: Job, finish: Finish, deps: CompletionDependencies): Promise<void> =>
  withPatience(
    job,
    deps.clock,
    () => store(job, finish, deps),
    (reason) => {
      const message = `the worker finished, and could not be reached for its outputs (${reason})`;
      return completeWithEarly(job, finish, { reason: 'workerLost', message }, deps);
    },
  );

/** @throws PipelineError (retryable) when the worker, or anything of ours, cannot be reached: deliver again */
export const onFinish = async (finish: Finish, deps: CompletionDependencies): Promise<void> => {
  const claimed = await claim(finish, deps);
  switch (claimed.kind) {
    case 'claimed':
      return storePatiently(claimed.job, finish, deps);
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
      return stale(finish, deps);
  }
};
