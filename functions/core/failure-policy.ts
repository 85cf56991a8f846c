/** Which failures a repetition can cure, and when to repeat (error categories of seed 002). */
import type { FailureReason } from '../../shared-types/index.ts';
import type { EndedAttempt, Job, JobFailure } from './job.ts';

/**
 * `transient`: the surroundings failed, the same attempt elsewhere or later may succeed; `recoverable`: worth one
 * more try; `permanent`: the workflow is wrong; `fatal`: nobody knows what happened.
 */
export type FailureCategory = 'transient' | 'recoverable' | 'permanent' | 'fatal';

const CATEGORIES: Readonly<Record<FailureReason, FailureCategory>> = {
  comfyRestarted: 'transient',
  vanished: 'transient',
  workerLost: 'transient',
  workerStalled: 'transient',
  dispatchFailed: 'transient',
  interrupted: 'transient',
  outOfMemory: 'recoverable',
  nodeError: 'permanent',
  badWorkflow: 'permanent',
  timeout: 'permanent',
  noStatus: 'fatal',
  internal: 'fatal',
};

export const categoryOf = (reason: FailureReason): FailureCategory => CATEGORIES[reason];

const FIRST_DELAY_SECONDS = 10;
const MAX_DELAY_SECONDS = 300;

/** Ends of a worker that the workflow itself may have brought about: out of memory, a crash in a node. */
const FATAL_TO_WORKERS: readonly FailureReason[] = ['comfyRestarted', 'workerLost'];
const POISON_ATTEMPTS = 2;

/** Why an attempt ended, as far as the policy asks. */
export type AttemptEnd = Pick<JobFailure, 'reason' | 'unheard'>;

/** A prompt that only waited behind another is not to blame for what that one did to their worker. */
const isToBlame = (hasRun: boolean, { reason, unheard }: AttemptEnd): boolean =>
  (hasRun || unheard === true) && FATAL_TO_WORKERS.includes(reason);

const tookWorkerDown = ({ startedAt, failure }: EndedAttempt): boolean =>
  failure !== null && isToBlame(startedAt !== null, failure);

/**
 * True when this end is the second attempt that ran and went down with its worker: a third worker is not risked.
 * @param job while the attempt that ends is still active
 * @param end of the attempt that ends
 */
export const isPoison = ({ attempts, attempt, startedAt, status }: Job, end: AttemptEnd): boolean => {
  if (!isToBlame(startedAt !== null || status === 'running', end)) return false;
  const before = attempts.filter((ended) => ended.attempt !== attempt && tookWorkerDown(ended));
  return before.length + 1 >= POISON_ATTEMPTS;
};

/** True when another attempt is allowed and can help. */
export const mayRetry = (job: Job, end: AttemptEnd): boolean => {
  if (job.retryCount >= job.maxRetries || isPoison(job, end)) return false;
  const category = categoryOf(end.reason);
  return category === 'transient' || (category === 'recoverable' && job.retryCount === 0);
};

/** 10 s, then doubled up to five minutes, plus up to a fifth of jitter. `random` is in [0, 1). */
export const retryDelaySeconds = (retryCount: number, random: number): number => {
  const delay = Math.min(FIRST_DELAY_SECONDS * 2 ** retryCount, MAX_DELAY_SECONDS);
  return Math.round(delay * (1 + random / 5) * 10) / 10;
};
