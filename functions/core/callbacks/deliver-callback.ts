/** Delivers callbacks: at once when a task ends, then by schedule until they are taken or given up. */
import { outputsOfJob } from '../job-outputs.ts';
import type { Job } from '../job.ts';
import type { Clock, JobStore, Logger, OutputStore } from '../ports.ts';
import { callbackBody } from './callback-body.ts';
import {
  eventOf,
  MAX_LOGGED_ATTEMPTS,
  nextDelayMs,
  type Callback,
  type CallbackAttempt,
  type CallbackAnswer,
  type CallbackSender,
  type CallbackStore,
} from './callback.ts';
import { secretOf, webhookHeaders } from './standard-webhooks.ts';

export interface DeliverDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly callbacks: CallbackStore;
  readonly sender: CallbackSender;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
  /** Random bytes for a user's first secret. */
  readonly secretBytes: () => Uint8Array;
  readonly logger: Logger;
}

/** While an attempt is under way nobody else makes one; a crash frees the callback after this. */
const LEASE_MS = 60_000;
/** Callbacks of one sweep: ten at a time, 15 s each at most, end within the function's two minutes. */
const SWEEP_LIMIT = 60;
const SWEEP_PARALLEL = 10;

const iso = (ms: number): string => new Date(ms).toISOString();

/** 2xx is taken; 410 says that nobody wants it any more (Standard Webhooks); all else is tried again. */
const verdictOf = (answer: CallbackAnswer): { readonly error: string; readonly final: boolean } => {
  if (answer.kind === 'failed') return { error: answer.message, final: false };
  const { statusCode } = answer;
  if (statusCode >= 200 && statusCode < 300) return { error: '', final: true };
  if (statusCode >= 300 && statusCode < 400)
    return { error: `answered ${statusCode}: redirects are not followed`, final: false };
  return { error: `answered ${statusCode}`, final: statusCode === 410 };
};

const secretsOf = async (userId: string, deps: DeliverDependencies): Promise<string[]> => {
  const { current, previous } = await deps.callbacks.secrets(userId, secretOf(deps.secretBytes()));
  const valid = previous !== null && Date.parse(previous.until) > deps.clock.now();
  return valid ? [current, previous.secret] : [current];
};

const post = async (
  callback: Callback,
  job: Job,
  deps: DeliverDependencies,
): Promise<CallbackAttempt & { readonly final: boolean }> => {
  const body = callbackBody(callback.event, job, await outputsOfJob(job, deps.outputs));
  const at = deps.clock.now();
  const secrets = await secretsOf(callback.userId, deps);
  const headers = webhookHeaders(secrets, callback.callbackId, Math.floor(at / 1000), body);
  const answer = await deps.sender.post(callback.url, headers, body);
  const { error, final } = verdictOf(answer);
  const statusCode = answer.kind === 'answered' ? answer.statusCode : null;
  return { at: iso(at), statusCode, error, durationMs: Math.max(0, deps.clock.now() - at), final };
};

const after = (
  claimed: Callback,
  { final, ...attempt }: CallbackAttempt & { readonly final: boolean },
  deps: DeliverDependencies,
): Callback => {
  const attempts = [...claimed.attempts, attempt].slice(-MAX_LOGGED_ATTEMPTS);
  const tries = claimed.tries + 1;
  const delayMs = final ? undefined : nextDelayMs(tries, deps.random());
  if (delayMs !== undefined)
    return { ...claimed, attempts, tries, nextAttemptAt: iso(deps.clock.now() + delayMs), inFlight: false };
  return {
    ...claimed,
    attempts,
    tries,
    status: attempt.error === '' ? 'delivered' : 'failed',
    nextAttemptAt: null,
    inFlight: false,
  };
};

/** One attempt, if it is due and nobody else makes it. */
const attempt = async (read: Callback, deps: DeliverDependencies): Promise<void> => {
  const now = deps.clock.now();
  if (read.status !== 'pending' || read.nextAttemptAt === null || Date.parse(read.nextAttemptAt) > now)
    return;
  const claimed = { ...read, nextAttemptAt: iso(now + LEASE_MS), inFlight: true };
  if (!(await deps.callbacks.replace(read, claimed))) return;
  const job = await deps.jobs.get(read.jobId);
  if (job === undefined) return; // Expired with its callbacks.
  const made = await post(claimed, job, deps);
  const next = after(claimed, made, deps);
  await deps.callbacks.replace(claimed, next);
  const { jobId, callbackId, tries, status } = next;
  deps.logger.info('callback.attempt', { jobId, callbackId, tries, status, statusCode: made.statusCode });
};

/** The id is the job's: a second delivery of its last event makes no second callback. */
const callbackOf = (job: Job, url: string, now: number): Callback | undefined => {
  const event = eventOf(job.status);
  if (event === undefined) return undefined;
  return {
    jobId: job.jobId,
    userId: job.userId,
    callbackId: `msg_${job.jobId}`,
    event,
    url,
    status: 'pending',
    attempts: [],
    tries: 0,
    nextAttemptAt: iso(now),
    inFlight: false,
  };
};

/** A task ended: makes its callback and the first attempt. Idempotent. */
export const onTaskEnded = async (jobId: string, deps: DeliverDependencies): Promise<void> => {
  const job = await deps.jobs.get(jobId);
  const callback =
    job === undefined || job.callbackUrl === null
      ? undefined
      : callbackOf(job, job.callbackUrl, deps.clock.now());
  if (callback === undefined) return;
  const created = await deps.callbacks.create(callback);
  const stored =
    created === 'created' ? callback : await deps.callbacks.get(callback.jobId, callback.callbackId);
  if (stored !== undefined) await attempt(stored, deps);
};

/** Attempts whose time has come. One that fails does not keep the others waiting. */
export const deliverDue = async (deps: DeliverDependencies): Promise<number> => {
  const due = await deps.callbacks.due(iso(deps.clock.now()), SWEEP_LIMIT);
  const waiting = [...due];
  const worker = async (): Promise<void> => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      try {
        const callback = await deps.callbacks.get(key.jobId, key.callbackId);
        if (callback !== undefined) await attempt(callback, deps);
      } catch (error) {
        deps.logger.error('callback.failed', { jobId: key.jobId, reason: String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: SWEEP_PARALLEL }, worker));
  return due.length;
};

const isUnderWay = ({ inFlight, nextAttemptAt }: Callback, now: number): boolean =>
  inFlight && nextAttemptAt !== null && Date.parse(nextAttemptAt) > now;

export type Redelivery = 'made' | 'noCallback' | 'notEnded';

/** Begins the delivery anew, whatever became of it, and makes its first attempt. */
export const redeliver = async (job: Job, deps: DeliverDependencies): Promise<Redelivery> => {
  if (job.callbackUrl === null) return 'noCallback';
  const fresh = callbackOf(job, job.callbackUrl, deps.clock.now());
  if (fresh === undefined) return 'notEnded';
  const stored = await deps.callbacks.get(fresh.jobId, fresh.callbackId);
  // An attempt that is being made right now is the redelivery.
  if (stored !== undefined && isUnderWay(stored, deps.clock.now())) return 'made';
  const next = { ...fresh, attempts: stored?.attempts ?? [] };
  const begun =
    stored === undefined
      ? (await deps.callbacks.create(next)) === 'created'
      : await deps.callbacks.replace(stored, next);
  if (begun) await attempt(next, deps);
  return 'made';
};
