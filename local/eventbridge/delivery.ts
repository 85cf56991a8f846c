/** Carries events to targets: each on its own, retried with growing pauses, dead-lettered when nothing helps. */
import { setTimeout as pause } from 'node:timers/promises';
import type { FunctionInvoker, Log, QueueSender } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { Chaos } from '../front-door/chaos.ts';

export interface Delivery {
  readonly targetArn: string;
  /** What the target receives; a function, as making it may fail and that too is dead-lettered. */
  readonly payload: () => string;
  /** The event as it came, for the dead-letter queue. */
  readonly eventText: string;
  /** RULE_ARN, or SCHEDULE_ARN and what else names where the delivery comes from. */
  readonly origin: Readonly<Record<string, string>>;
  readonly maxRetryAttempts?: number | undefined;
  readonly maxEventAgeSeconds?: number | undefined;
  readonly deadLetterArn?: string | undefined;
  /** From how many buses the event has come here. */
  readonly hops?: number | undefined;
}

/** Puts an event on another bus. Throws `EmbeddedAwsError` when there is no such bus. */
export type BusForwarder = (busArn: string, eventText: string, hops: number) => void;
/** Keeps a line for a log group. */
export type LogGroupWriter = (logGroupArn: string, text: string) => void;

export interface DeliveryOptions {
  readonly invoker: FunctionInvoker;
  readonly queues: QueueSender;
  readonly chaos?: Pick<Chaos, 'delivery'> | undefined;
  /** Pause before the first retry in milliseconds; it doubles with each further one, up to a minute. */
  readonly retryBaseMs: number;
  readonly forward: BusForwarder;
  readonly writeLog: LogGroupWriter;
  readonly log: Log;
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

const DEFAULT_RETRY_ATTEMPTS = 185;
const DEFAULT_EVENT_AGE_SECONDS = 86_400;
const MAX_PAUSE_MS = 60_000;
const NO_CHAOS = { delaysMs: [0], fail: false };

export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #stopped = new AbortController();
  readonly #pending = new Set<Promise<void>>();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Starts a delivery and returns at once. */
  start(delivery: Delivery): void {
    const running = this.#run(delivery)
      .catch((error: unknown) => this.#lost(delivery, error))
      .finally(() => this.#pending.delete(running));
    this.#pending.add(running);
  }

  /** Resolves when nothing is under way, retries and deliveries that deliveries start included. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.idle();
  }

  async #run(delivery: Delivery): Promise<void> {
    const startedAt = Date.now();
    const maxRetries = delivery.maxRetryAttempts ?? DEFAULT_RETRY_ATTEMPTS;
    const maxAgeMs = (delivery.maxEventAgeSeconds ?? DEFAULT_EVENT_AGE_SECONDS) * 1000;
    for (let retries = 0; ; retries++) {
      const failure = await this.#attempt(delivery);
      if (failure === undefined || this.#stopped.signal.aborted) return;
      if (!failure.retryable) return this.#deadLetter(delivery, failure, retries);
      if (retries >= maxRetries) return this.#deadLetter(delivery, failure, retries, 'MaximumRetryAttempts');
      const waitMs = Math.min(this.#options.retryBaseMs * 2 ** retries, MAX_PAUSE_MS);
      if (Date.now() + waitMs - startedAt > maxAgeMs) {
        return this.#deadLetter(delivery, failure, retries, 'MaximumEventAgeInSeconds');
      }
      if (!(await this.#pause(waitMs))) return;
    }
  }

  /** One attempt, in as many copies as chaos wants. Undefined when at least one arrived. */
  async #attempt(delivery: Delivery): Promise<Failure | undefined> {
    const fate = this.#options.chaos?.delivery('events') ?? NO_CHAOS;
    const copies = await Promise.all(
      fate.delaysMs.map((delayMs) => this.#copy(delivery, delayMs, fate.fail)),
    );
    return copies.includes(undefined) ? undefined : copies[0];
  }

  async #copy(delivery: Delivery, delayMs: number, fail: boolean): Promise<Failure | undefined> {
    if (delayMs > 0 && !(await this.#pause(delayMs))) return undefined;
    if (fail)
      return { code: 'INTERNAL_ERROR', message: 'The attempt was failed on purpose', retryable: true };
    try {
      await this.#send(delivery.targetArn, delivery.payload(), delivery.hops ?? 0);
      return undefined;
    } catch (error) {
      return asFailure(error);
    }
  }

  async #send(arn: string, payload: string, hops: number): Promise<void> {
    const service = arn.split(':')[2];
    if (service === 'lambda') return this.#options.invoker.invokeAsync(arn, payload);
    if (service === 'sqs') return this.#options.queues.send(arn, payload);
    if (service === 'events') return this.#options.forward(arn, payload, hops + 1);
    if (service === 'logs') return this.#options.writeLog(arn, payload);
    throw new EmbeddedAwsError(
      'ResourceNotFoundException',
      `Target ${arn} is of no service that exists here`,
    );
  }

  async #deadLetter(
    delivery: Delivery,
    failure: Failure,
    retries: number,
    exhausted?: string,
  ): Promise<void> {
    const { log, queues } = this.#options;
    const data = { target: delivery.targetArn, code: failure.code, reason: failure.message, retries };
    if (delivery.deadLetterArn === undefined) return log('eventbridge.delivery_dropped', data);
    log('eventbridge.delivery_dead_lettered', data);
    await queues.send(delivery.deadLetterArn, delivery.eventText, {
      ...delivery.origin,
      TARGET_ARN: delivery.targetArn,
      ERROR_CODE: failure.code,
      ERROR_MESSAGE: failure.message === '' ? failure.code : failure.message,
      ...(exhausted === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: exhausted }),
      RETRY_ATTEMPTS: String(retries),
    });
  }

  #lost(delivery: Delivery, error: unknown): void {
    this.#options.log('eventbridge.dead_letter_failed', {
      target: delivery.targetArn,
      queue: delivery.deadLetterArn,
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  /** False when the service was closed meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await pause(ms, undefined, { signal: this.#stopped.signal });
      return true;
    } catch {
      return false;
    }
  }
}

/** What does not exist will not exist at the next attempt either; AWS does not retry that. */
function asFailure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof SyntaxError) return { code: 'INVALID_JSON', message, retryable: false };
  if (/NotFound|NonExistent|NoSuch/i.test(code)) return { code: 'NO_RESOURCE', message, retryable: false };
  if (/Throttl|TooManyRequests/i.test(code)) return { code: 'THROTTLING', message, retryable: true };
  return { code: 'ERROR_FROM_TARGET', message, retryable: true };
}
