import type { FunctionInvoker, Log, QueueSender } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { Chaos } from '../front-door/chaos.ts';
import type { FunctionDefinition } from './function-definition.ts';
import type { FunctionFailure, Invocation } from './function-thread.ts';

/** How a function's events are retried and where they end, from `AWS::Lambda::EventInvokeConfig`. */
export interface AsyncConfig {
  /** 0 to 2. */
  readonly maximumRetryAttempts: number;
  /** 60 to 21600. */
  readonly maximumEventAgeSeconds: number;
  /** ARN of a queue or of another function. */
  readonly onFailure?: string;
  readonly onSuccess?: string;
}

export const defaultAsyncConfig: AsyncConfig = { maximumRetryAttempts: 2, maximumEventAgeSeconds: 21_600 };

export type AttemptOutcome =
  | { readonly kind: 'ok'; readonly payload: string }
  | { readonly kind: 'failed'; readonly failure: FunctionFailure }
  | { readonly kind: 'throttled' };

interface DeliveryOptions {
  readonly attempt: (definition: FunctionDefinition, invocation: Invocation) => Promise<AttemptOutcome>;
  readonly configOf: (functionName: string) => AsyncConfig;
  readonly queues: QueueSender;
  readonly functions: Pick<FunctionInvoker, 'invokeAsync'>;
  readonly chaos: Chaos;
  /** Milliseconds before the first retry, which on AWS is a minute; every other wait scales with it. */
  readonly retryBaseMs: number;
  readonly now: () => number;
  readonly log: Log;
}

interface PendingEvent {
  readonly definition: FunctionDefinition;
  readonly invocation: Invocation;
  readonly receivedAt: number;
  attempts: number;
  throttles: number;
  /** What AWS would have waited longer than we did, in milliseconds: it counts towards the event's age. */
  skippedMs: number;
}

type Ending = 'Success' | 'RetriesExhausted' | 'EventAgeExceeded';

const minuteMs = 60_000;
const maxThrottleWaitMs = 300_000;

/** Lambda's queue of events: attempts, retries with growing waits, then the failure destination. Kept in memory. */
export class AsyncDelivery {
  readonly #options: DeliveryOptions;
  readonly #timers = new Map<NodeJS.Timeout, () => void>();
  #inFlight = 0;
  #closed = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** True when no event waits or runs. */
  get quiet(): boolean {
    return this.#inFlight === 0;
  }

  /** Takes the event and answers at once. */
  enqueue(definition: FunctionDefinition, invocation: Invocation): void {
    const { delaysMs } = this.#options.chaos.delivery('lambda:queue');
    for (const delayMs of delaysMs) void this.#deliver(this.#pending(definition, invocation), delayMs);
  }

  /** Resolves when no event waits or runs. */
  async idle(): Promise<void> {
    while (!this.quiet) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Gives up what still waits. */
  close(): void {
    this.#closed = true;
    for (const [timer, wake] of this.#timers) {
      clearTimeout(timer);
      wake();
    }
    this.#timers.clear();
  }

  #pending(definition: FunctionDefinition, invocation: Invocation): PendingEvent {
    return {
      definition,
      invocation,
      receivedAt: this.#options.now(),
      attempts: 0,
      throttles: 0,
      skippedMs: 0,
    };
  }

  async #deliver(event: PendingEvent, delayMs: number): Promise<void> {
    this.#inFlight += 1;
    try {
      await this.#sleep(delayMs);
      while (!this.#closed && !(await this.#attemptOnce(event))) continue;
    } catch (error) {
      this.#options.log('lambda.asyncLost', { function: event.definition.name, error: String(error) });
    } finally {
      this.#inFlight -= 1;
      if (this.quiet) for (const wake of this.#idleWaiters.splice(0)) wake();
    }
  }

  /** True once the event has ended. */
  async #attemptOnce(event: PendingEvent): Promise<boolean> {
    const config = this.#options.configOf(event.definition.name);
    const outcome = await this.#attempt(event);
    if (this.#closed) return true;
    if (outcome.kind === 'throttled') return this.#afterThrottle(event, config);
    event.attempts += 1;
    if (outcome.kind === 'ok') return this.#end(event, config, 'Success', outcome);
    this.#options.log('lambda.asyncFailed', {
      function: event.definition.name,
      ...outcome.failure,
      trace: undefined,
    });
    if (event.attempts > config.maximumRetryAttempts)
      return this.#end(event, config, 'RetriesExhausted', outcome);
    return this.#waitOrExpire(event, config, event.attempts * minuteMs, outcome);
  }

  async #attempt(event: PendingEvent): Promise<AttemptOutcome> {
    const fate = this.#options.chaos.delivery('lambda');
    if (fate.fail && !fate.failsAfterWork) return injectedFailure;
    const outcome = await this.#options.attempt(event.definition, event.invocation);
    return fate.fail && outcome.kind === 'ok' ? injectedFailure : outcome;
  }

  /** Throttles cost no attempt: Lambda tries again until the event is too old. */
  #afterThrottle(event: PendingEvent, config: AsyncConfig): Promise<boolean> {
    const waitMs = Math.min(1000 * 2 ** event.throttles, maxThrottleWaitMs);
    event.throttles += 1;
    return this.#waitOrExpire(event, config, waitMs, throttledOutcome);
  }

  async #waitOrExpire(
    event: PendingEvent,
    config: AsyncConfig,
    awsWaitMs: number,
    outcome: AttemptOutcome,
  ): Promise<boolean> {
    const age = this.#options.now() - event.receivedAt + event.skippedMs + awsWaitMs;
    if (age > config.maximumEventAgeSeconds * 1000)
      return this.#end(event, config, 'EventAgeExceeded', outcome);
    const waitMs = (awsWaitMs / minuteMs) * this.#options.retryBaseMs;
    event.skippedMs += awsWaitMs - waitMs;
    await this.#sleep(waitMs);
    return false;
  }

  async #end(
    event: PendingEvent,
    config: AsyncConfig,
    ending: Ending,
    outcome: AttemptOutcome,
  ): Promise<true> {
    const destination = ending === 'Success' ? config.onSuccess : config.onFailure;
    if (destination !== undefined) await this.#send(destination, destinationRecord(event, ending, outcome));
    const { deadLetterArn } = event.definition;
    if (ending === 'Success' || deadLetterArn === undefined) return true;
    const { errorMessage } = outcome.kind === 'failed' ? outcome.failure : { errorMessage: 'Rate Exceeded.' };
    const attributes = {
      RequestID: event.invocation.requestId,
      ErrorCode: outcome.kind === 'failed' ? '200' : '429',
      ErrorMessage: errorMessage.slice(0, 1024) || 'unknown',
    };
    await this.#options.queues.send(deadLetterArn, event.invocation.payload, attributes);
    return true;
  }

  async #send(arn: string, record: string): Promise<void> {
    if (arn.includes(':lambda:')) await this.#options.functions.invokeAsync(arn, record);
    else await this.#options.queues.send(arn, record);
  }

  #sleep(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, milliseconds);
      this.#timers.set(timer, resolve);
    });
  }
}

/** Queues and functions can take what an event ends with; anything else is refused at start. */
export function assertDestination(arn: string, where: string): void {
  if (/^arn:[^:]+:(sqs|lambda):/.test(arn)) return;
  const problem = `${where}: ${arn} cannot be a destination here; only SQS queues and Lambda functions can`;
  throw new EmbeddedAwsError('UnsupportedProperty', problem);
}

const injectedFailure: AttemptOutcome = {
  kind: 'failed',
  failure: { errorType: 'Chaos.InjectedFailure', errorMessage: 'This attempt was made to fail', trace: [] },
};
const throttledOutcome: AttemptOutcome = { kind: 'throttled' };

function destinationRecord(event: PendingEvent, ending: Ending, outcome: AttemptOutcome): string {
  const { invocation, definition } = event;
  const answer = {
    responseContext: {
      statusCode: 200,
      executedVersion: '$LATEST',
      ...(outcome.kind === 'failed' ? { functionError: 'Unhandled' } : {}),
    },
    responsePayload:
      outcome.kind === 'ok' ? parseJson(outcome.payload) : outcome.kind === 'failed' ? outcome.failure : null,
  };
  return JSON.stringify({
    version: '1.0',
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: invocation.requestId,
      functionArn: `${definition.arn}:$LATEST`,
      condition: ending,
      approximateInvokeCount: event.attempts,
    },
    requestPayload: parseJson(invocation.payload),
    ...(outcome.kind === 'throttled' ? {} : answer),
  });
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}
