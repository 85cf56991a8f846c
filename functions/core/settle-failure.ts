/** An attempt did not succeed: the job is retried, fails, or turns out to have been cancelled. */
import { cancelPending } from './cancel-pending.ts';
import { endedAttempt } from './ended-attempt.ts';
import { isPoison, mayRetry, retryDelaySeconds } from './failure-policy.ts';
import { activeGuard } from './job-guards.ts';
import type { Job, JobFailure, JobGuard, JobPatch } from './job.ts';
import type { Clock, QueueStore } from './ports.ts';
import { entryOf } from './queue-entry.ts';
import { requeuedAt } from './requeued-at.ts';
import { tellCancelledOnce, type TellCancelledDependencies } from './tell-cancelled.ts';
import { tellFailed, tellRetrying } from './tell-settled.ts';

export interface SettleDependencies extends TellCancelledDependencies {
  readonly queue: QueueStore;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
}

const MAX_MESSAGE = 1000;

const iso = (ms: number): string => new Date(ms).toISOString();

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
  if (fresh.status === 'pending' && fresh.cancelRequestedAt !== null) {
    await cancelPending(fresh, deps);
    return;
  }
  if (fresh.status === 'pending')
    return tellRetrying(fresh, fresh.failure ?? failure, waitSeconds(fresh, deps), deps);
  if (fresh.status === 'failed') return tellFailed(fresh, fresh.failure ?? failure, deps);
  if (fresh.status === 'cancelled') return tellCancelledOnce(fresh, deps);
};

const retryPatch = (job: Job, failure: JobFailure, queuedAt: string, now: string): JobPatch => ({
  status: 'pending',
  queuedAt,
  retryCount: job.retryCount + 1,
  promptId: null,
  workerId: null,
  clientId: null,
  storingSince: null,
  endingSince: null,
  endingReason: null,
  dueAt: null,
  progress: null,
  failure,
  addAttempt: endedAttempt(job, 'failed', failure, now),
});

/**
 * The queue entry is written before the job turns pending: a crash in between leaves an entry that waits for the
 * redelivery (the dispatcher keeps it while it is younger than the assignment), never a pending job that no entry
 * points at. A cancellation that came since the job was read does not let it wait again.
 */
const retry = async (
  job: Job,
  failure: JobFailure,
  guard: JobGuard,
  deps: SettleDependencies,
): Promise<void> => {
  const now = deps.clock.now();
  const delaySeconds = retryDelaySeconds(job.retryCount, deps.random());
  const entry = entryOf(job, requeuedAt(job, now), iso(now + delaySeconds * 1000));
  await deps.queue.put(entry);
  const updated = await deps.jobs.update({
    guard,
    patch: retryPatch(job, failure, entry.queuedAt, iso(now)),
  });
  if (updated.kind === 'applied') {
    if (updated.job.cancelRequestedAt === null) return tellRetrying(updated.job, failure, delaySeconds, deps);
    await cancelPending(updated.job, deps);
    return;
  }
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
  const told = status === 'failed' ? failure : null;
  const ending: JobPatch = {
    status,
    completedAt,
    storingSince: null,
    dueAt: null,
    outputCount: job.earlyOutputs.length,
    addAttempt: endedAttempt(job, status, told, completedAt),
  };
  const patch = status === 'failed' ? { ...ending, failure } : ending;
  const updated = await deps.jobs.update({ guard, patch });
  if (updated.kind === 'refused') return tellAgain(job, failure, deps);
  return status === 'failed' ? tellFailed(updated.job, failure, deps) : tellCancelledOnce(updated.job, deps);
};

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE);

/** An end that we asked for because the attempt took too long is a timeout, whatever ComfyUI calls it. */
const reasonOf = (job: Job, failure: JobFailure): JobFailure => {
  const wasEnded = failure.reason === 'interrupted' || failure.reason === 'vanished';
  if (job.endingReason !== 'timeout' || !wasEnded) return failure;
  return { reason: 'timeout', message: `the attempt took longer than ${job.timeoutSeconds} seconds` };
};

const POISON = 'a second attempt went down with its worker, so the task is not tried again';

/** What is told of it: one line, and why it is not retried where that is no matter of course. */
const toldOf = (job: Job, failure: JobFailure): JobFailure => {
  const told = reasonOf(job, failure);
  const message = oneLine(told.message) || told.reason;
  return { ...told, message: isPoison(job, told) ? oneLine(`${POISON}: ${message}`) : message };
};

/**
 * Settles a failed attempt. Idempotent: a second call for the same attempt tells again and changes nothing, not even
 * the queue.
 * @param guard what must still hold, by default: this attempt is still active
 */
export const settleFailure = async (
  job: Job,
  failure: JobFailure,
  deps: SettleDependencies,
  guard: JobGuard = activeGuard(job),
): Promise<void> => {
  const told = toldOf(job, failure);
  if (!guard.statuses.includes(job.status)) return tellAgain(job, told, deps);
  if (job.cancelRequestedAt !== null) return end(job, 'cancelled', told, guard, deps);
  if (mayRetry(job, told)) return retry(job, told, guard, deps);
  deps.logger.info('job.failed', { jobId: job.jobId, attempt: job.attempt, reason: told.reason });
  return end(job, 'failed', told, guard, deps);
};
