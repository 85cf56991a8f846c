/** An attempt did not succeed: the job is retried, fails, or turns out to have been cancelled. */
import type { JobPush, PipelineEvent } from '../../shared-types/index.ts';
import { mayRetry, retryDelaySeconds } from './failure-policy.ts';
import { pushToFollowers } from './followers.ts';
import { ACTIVE_STATUSES, type Job, type JobFailure, type JobGuard, type JobPatch } from './job.ts';
import type {
  Clock,
  EventPublisher,
  JobStore,
  Logger,
  Pusher,
  QueueEntry,
  QueueStore,
  SubscriptionStore,
} from './ports.ts';
import { pushBase } from './push-base.ts';
import { requeuedAt } from './requeued-at.ts';
import { taskEventBase } from './task-event.ts';

export interface SettleDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
  readonly publisher: EventPublisher;
  readonly pusher: Pusher;
  readonly subscriptions: SubscriptionStore;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  readonly logger: Logger;
}

const MAX_MESSAGE = 1000;

const iso = (ms: number): string => new Date(ms).toISOString();

const failureKeys = ({ reason, message, nodeId, nodeName, nodeType }: JobFailure) => ({
  reason,
  message,
  ...(nodeId === undefined ? {} : { nodeId }),
  ...(nodeName === undefined ? {} : { nodeName }),
  ...(nodeType === undefined ? {} : { nodeType }),
});

const tell = async (
  job: Job,
  push: JobPush,
  event: PipelineEvent,
  deps: SettleDependencies,
): Promise<void> => {
  await pushToFollowers(job, push, deps);
  await deps.publisher.publish([event]);
};

const tellRetrying = (
  job: Job,
  failure: JobFailure,
  delaySeconds: number,
  deps: SettleDependencies,
): Promise<void> => {
  const nextAttempt = job.attempt + 1;
  const { maxRetries } = job;
  const push: JobPush = {
    type: 'job_retrying',
    ...pushBase(job),
    ...failureKeys(failure),
    nextAttempt,
    maxRetries,
    delaySeconds,
  };
  const { reason, message } = failure;
  const detail = { ...taskEventBase(job, 'Task Retrying'), reason, message, nextAttempt, delaySeconds };
  return tell(job, push, { detailType: 'Task Retrying', detail }, deps);
};

const tellFailed = (job: Job, failure: JobFailure, deps: SettleDependencies): Promise<void> => {
  const push: JobPush = { type: 'job_failed', ...pushBase(job), ...failureKeys(failure) };
  const detail = { ...taskEventBase(job, 'Task Failed'), ...failure };
  return tell(job, push, { detailType: 'Task Failed', detail }, deps);
};

const tellCancelled = (job: Job, deps: SettleDependencies): Promise<void> => {
  const push: JobPush = { type: 'job_cancelled', ...pushBase(job), message: 'Cancelled' };
  const detail = taskEventBase(job, 'Task Cancelled');
  return tell(job, push, { detailType: 'Task Cancelled', detail }, deps);
};

const waitSeconds = (job: Job, deps: SettleDependencies): number => {
  const entryDue = retryDelaySeconds(Math.max(0, job.retryCount - 1), 0);
  return Math.max(0, Math.min(entryDue, entryDue - (deps.clock.now() - Date.parse(job.queuedAt)) / 1000));
};

/**
 * What was settled by an earlier delivery is told again: a crash may have come between the write and the telling.
 * The events have the ids that they had, so consumers see them once.
 */
const tellAgain = async (job: Job, failure: JobFailure, deps: SettleDependencies): Promise<void> => {
  const fresh = await deps.jobs.get(job.jobId);
  if (fresh === undefined || fresh.attempt !== job.attempt) return;
  if (fresh.status === 'pending')
    return tellRetrying(fresh, fresh.failure ?? failure, waitSeconds(fresh, deps), deps);
  if (fresh.status === 'failed') return tellFailed(fresh, fresh.failure ?? failure, deps);
  if (fresh.status === 'cancelled') return tellCancelled(fresh, deps);
};

/**
 * The queue entry is written before the job turns pending: a crash in between leaves an entry that waits for the
 * redelivery (the dispatcher keeps it while it is younger than the assignment), never a pending job that no entry
 * points at.
 */
const retry = async (
  job: Job,
  failure: JobFailure,
  guard: JobGuard,
  deps: SettleDependencies,
): Promise<void> => {
  const now = deps.clock.now();
  const delaySeconds = retryDelaySeconds(job.retryCount, deps.random());
  const entry: QueueEntry = {
    jobId: job.jobId,
    priority: job.priority,
    queuedAt: requeuedAt(job, now),
    notBefore: iso(now + delaySeconds * 1000),
  };
  await deps.queue.put(entry);
  const patch: JobPatch = {
    status: 'pending',
    queuedAt: entry.queuedAt,
    retryCount: job.retryCount + 1,
    promptId: null,
    workerId: null,
    clientId: null,
    storingSince: null,
    progress: null,
    failure,
  };
  const updated = await deps.jobs.update({ guard, patch });
  if (updated.kind === 'applied') return tellRetrying(updated.job, failure, delaySeconds, deps);
  const fresh = await deps.jobs.get(job.jobId);
  if (fresh?.queuedAt !== entry.queuedAt) await deps.queue.remove(entry);
  return tellAgain(job, failure, deps);
};

const end = async (
  job: Job,
  status: 'failed' | 'cancelled',
  failure: JobFailure,
  guard: JobGuard,
  deps: SettleDependencies,
): Promise<void> => {
  const completedAt = iso(deps.clock.now());
  const ending: JobPatch = { status, completedAt, storingSince: null, outputCount: job.earlyOutputs.length };
  const patch = status === 'failed' ? { ...ending, failure } : ending;
  const updated = await deps.jobs.update({ guard, patch });
  if (updated.kind === 'refused') return tellAgain(job, failure, deps);
  return status === 'failed' ? tellFailed(updated.job, failure, deps) : tellCancelled(updated.job, deps);
};

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE);

/**
 * Settles a failed attempt. Idempotent: a second call for the same attempt tells again and changes nothing, not even
 * the queue.
 * @param guard what must still hold, by default: this attempt is still active
 */
export const settleFailure = async (
  job: Job,
  failure: JobFailure,
  deps: SettleDependencies,
  guard: JobGuard = { jobId: job.jobId, attempt: job.attempt, statuses: ACTIVE_STATUSES },
): Promise<void> => {
  const told: JobFailure = { ...failure, message: oneLine(failure.message) || failure.reason };
  if (!guard.statuses.includes(job.status)) return tellAgain(job, told, deps);
  if (job.cancelRequestedAt !== null) return end(job, 'cancelled', told, guard, deps);
  if (mayRetry(job, failure.reason)) return retry(job, told, guard, deps);
  deps.logger.info('job.failed', { jobId: job.jobId, attempt: job.attempt, reason: failure.reason });
  return end(job, 'failed', told, guard, deps);
};
