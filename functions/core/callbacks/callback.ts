/** A callback: the end of one task, told to one URL until it is taken or given up. */
import type { JobStatus } from '../../../shared-types/index.ts';

export type CallbackEvent = 'task.completed' | 'task.failed' | 'task.cancelled';

export interface CallbackAttempt {
  /** ISO 8601. */
  readonly at: string;
  /** null when no answer came. */
  readonly statusCode: number | null;
  /** One line; empty when it was taken. */
  readonly error: string;
  readonly durationMs: number;
}

export interface Callback {
  readonly jobId: string;
  readonly userId: string;
  /** `webhook-id`: the same for every attempt, so that a receiver can tell a repetition. */
  readonly callbackId: string;
  readonly event: CallbackEvent;
  readonly url: string;
  readonly status: 'pending' | 'delivered' | 'failed';
  /** Oldest first; the last `MAX_LOGGED_ATTEMPTS`. */
  readonly attempts: readonly CallbackAttempt[];
  /** Attempts since the delivery, or the redelivery, began: the place in the schedule. */
  readonly tries: number;
  /** ISO 8601; null once it is delivered or given up. */
  readonly nextAttemptAt: string | null;
  /** An attempt is under way; `nextAttemptAt` is when it is taken for lost. */
  readonly inFlight: boolean;
}

/** Signing secrets of a user: the one in use and, for a day after a rotation, the one before. */
export interface CallbackSecrets {
  readonly current: string;
  readonly previous: { readonly secret: string; readonly until: string } | null;
}

export interface CallbackStore {
  /** `exists` leaves the one that is there as it is. */
  create(callback: Callback): Promise<'created' | 'exists'>;
  get(jobId: string, callbackId: string): Promise<Callback | undefined>;
  list(jobId: string): Promise<readonly Callback[]>;
  /**
   * Writes all of `next` on the condition that `nextAttemptAt` and `status` still are those of `read`; false when
   * somebody else was faster.
   */
  replace(read: Callback, next: Callback): Promise<boolean>;
  /** Keys of pending callbacks whose time has come, longest overdue first. An index: may lag, decides nothing. */
  due(
    now: string,
    limit: number,
  ): Promise<readonly { readonly jobId: string; readonly callbackId: string }[]>;
  /** The secrets of a user; on the first call `fresh` becomes the current one. */
  secrets(userId: string, fresh: string): Promise<CallbackSecrets>;
  /** `fresh` becomes the current one; the one before stays valid until `previousUntil`. */
  rotate(userId: string, fresh: string, previousUntil: string): Promise<CallbackSecrets>;
}

export type CallbackAnswer =
  | { readonly kind: 'answered'; readonly statusCode: number }
  /** No answer: refused address, refused connection, timeout, broken TLS. One line. */
  | { readonly kind: 'failed'; readonly message: string };

export interface CallbackSender {
  /** POST of JSON. The address policy holds at connect, redirects are not followed, 15 s at most. Never rejects. */
  post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<CallbackAnswer>;
}

/** The log of one callback stays small: a redelivered one forgets its oldest attempts. */
export const MAX_LOGGED_ATTEMPTS = 20;

const EVENTS: Partial<Readonly<Record<JobStatus, CallbackEvent>>> = {
  completed: 'task.completed',
  failed: 'task.failed',
  cancelled: 'task.cancelled',
};

export const eventOf = (status: JobStatus): CallbackEvent | undefined => EVENTS[status];

const MINUTE = 60_000;
/** After the first attempt: 1 min, 5 min, 30 min, 2 h, 5 h, 10 h: given up after about 18 hours. */
const DELAYS_MS = [1, 5, 30, 120, 300, 600].map((minutes) => minutes * MINUTE);

/**
 * When to try again after `tries` attempts that failed, with up to a tenth of jitter; undefined: never.
 * @param random in [0, 1)
 */
export const nextDelayMs = (tries: number, random: number): number | undefined => {
  const delay = DELAYS_MS[tries - 1];
  return delay === undefined ? undefined : Math.round(delay * (1 + random / 10));
};
