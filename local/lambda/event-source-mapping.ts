import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { AwsPlace, InvokeResult, Log, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { parseFunctionReference, parseProperties } from './function-definition.ts';

export interface QueueMessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string | null | undefined;
  /** Base64. */
  readonly BinaryValue?: string | null | undefined;
}

/** One message as a queue hands it out; `attributes` are the system attributes (`SentTimestamp`, …). */
export interface QueueMessage {
  readonly receiptHandle: string;
  readonly body: string;
  readonly messageId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** In the form of the SQS API. */
  readonly messageAttributes?: Readonly<Record<string, QueueMessageAttribute>>;
}

/** SQS as an event source mapping sees it. */
export interface QueueReceiver {
  /** Up to `max` messages, waiting up to `waitMs` for the first. The queue's visibility timeout then runs. */
  receive(queueArn: string, max: number, waitMs: number): Promise<readonly QueueMessage[]>;
  remove(queueArn: string, receiptHandle: string): Promise<void>;
}

export interface EventSource {
  readonly queueArn: string;
  readonly functionName: string;
  readonly batchSize: number;
  readonly windowMs: number;
  readonly maximumConcurrency: number;
  readonly partialResponses: boolean;
}

const propertiesSchema = z.object({
  EventSourceArn: z.string().regex(/^arn:[^:]+:sqs:/, 'only SQS queues can be an event source here'),
  FunctionName: z.string(),
  BatchSize: z.coerce.number().int().min(1).max(10_000).default(10),
  MaximumBatchingWindowInSeconds: z.coerce.number().min(0).max(300).default(0),
  Enabled: z.union([z.boolean(), z.stringbool()]).default(true),
  FunctionResponseTypes: z.array(z.literal('ReportBatchItemFailures')).default([]),
  ScalingConfig: z.object({ MaximumConcurrency: z.coerce.number().int().min(2).optional() }).optional(),
  FilterCriteria: z.never('is not supported here; filter in the function').optional(),
});

/** Reads `AWS::Lambda::EventSourceMapping`; `undefined` when it is disabled. */
export function parseEventSource(request: ResourceRequest): EventSource | undefined {
  const properties = parseProperties(propertiesSchema, request);
  if (!properties.Enabled) return undefined;
  return {
    queueArn: properties.EventSourceArn,
    functionName: parseFunctionReference(properties.FunctionName).name,
    batchSize: properties.BatchSize,
    windowMs: properties.MaximumBatchingWindowInSeconds * 1000,
    // Lambda starts with five pollers as well.
    maximumConcurrency: Math.min(properties.ScalingConfig?.MaximumConcurrency ?? 5, 5),
    partialResponses: properties.FunctionResponseTypes.length > 0,
  };
}

interface PollerOptions {
  readonly source: EventSource;
  readonly queues: QueueReceiver;
  readonly invoke: (functionName: string, payload: string) => Promise<InvokeResult>;
  readonly place: AwsPlace;
  readonly log: Log;
}

/** How long one call waits for messages; also how late a close may be noticed. */
const waitMs = 1000;
const partialSchema = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/** Reads one queue for one function until it is stopped. What the function did not finish stays in the queue. */
export class QueuePoller {
  readonly #options: PollerOptions;
  #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  get quiet(): boolean {
    return this.#running.size === 0;
  }

  /** Resolves when the batches that now run have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Polls until `stop`; never rejects. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const batch = await this.#receiveBatch().catch((error: unknown) => this.#receiveFailed(error));
      if (batch.length > 0) this.#start(batch);
      if (this.#running.size >= this.#options.source.maximumConcurrency) await Promise.race(this.#running);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #start(batch: readonly QueueMessage[]): void {
    const handled: Promise<void> = this.#handle(batch)
      .catch((error: unknown) => this.#options.log('eventSource.failed', { error: String(error) }))
      .finally(() => this.#running.delete(handled));
    this.#running.add(handled);
  }

  async #receiveBatch(): Promise<readonly QueueMessage[]> {
    const { source, queues } = this.#options;
    const batch = [...(await queues.receive(source.queueArn, Math.min(10, source.batchSize), waitMs))];
    const deadline = Date.now() + source.windowMs;
    while (batch.length > 0 && batch.length < source.batchSize && !this.#stopped) {
      const left = Math.max(0, deadline - Date.now());
      const more = await queues.receive(source.queueArn, Math.min(10, source.batchSize - batch.length), left);
      batch.push(...more);
      if (more.length === 0) break;
    }
    return this.#stopped ? [] : batch;
  }

  async #receiveFailed(error: unknown): Promise<readonly QueueMessage[]> {
    this.#options.log('eventSource.receiveFailed', {
      error: String(error),
      queue: this.#options.source.queueArn,
    });
    await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    return [];
  }

  async #handle(batch: readonly QueueMessage[]): Promise<void> {
    const { source, queues, invoke, log } = this.#options;
    const result = await invoke(source.functionName, this.#event(batch));
    if (result.kind !== 'ok') {
      log('eventSource.batchFailed', { function: source.functionName, ...result });
      return;
    }
    const failed = source.partialResponses ? failedMessages(result.payload, batch) : new Set<string>();
    const done = batch.filter(({ messageId }) => !failed.has(messageId));
    await Promise.all(done.map(({ receiptHandle }) => queues.remove(source.queueArn, receiptHandle)));
  }

  #event(batch: readonly QueueMessage[]): string {
    const { source, place } = this.#options;
    const records = batch.map(({ messageId, receiptHandle, body, attributes, messageAttributes = {} }) => ({
      messageId,
      receiptHandle,
      body,
      attributes,
      messageAttributes: eventAttributes(messageAttributes),
      md5OfBody: createHash('md5').update(body).digest('hex'),
      eventSource: 'aws:sqs',
      eventSourceARN: source.queueArn,
      awsRegion: place.region,
    }));
    return JSON.stringify({ Records: records });
  }
}

/** Event records write the attributes of the API in their own way. */
function eventAttributes(attributes: Readonly<Record<string, QueueMessageAttribute>>): object {
  const records = Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => {
    const value = { stringValue: StringValue ?? undefined, binaryValue: BinaryValue ?? undefined };
    return [name, { ...value, stringListValues: [], binaryListValues: [], dataType: DataType }];
  });
  return Object.fromEntries(records) as object;
}

/** Ids that the function could not do. Lambda counts an answer it cannot read, or an unknown id, as all failed. */
function failedMessages(payload: string, batch: readonly QueueMessage[]): ReadonlySet<string> {
  const all = new Set(batch.map(({ messageId }) => messageId));
  const answer = partialSchema.nullable().safeParse(JSON.parse(payload));
  if (!answer.success) return typeof JSON.parse(payload) === 'object' ? all : new Set();
  const failed = (answer.data?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  return failed.every((id) => all.has(id)) ? new Set(failed) : all;
}

/** The property's own error when a queue is polled without an SQS service. */
export function missingQueues(request: ResourceRequest): EmbeddedAwsError {
  const where = `${request.stackName}/${request.logicalId} (${request.type})`;
  return new EmbeddedAwsError('UnsupportedProperty', `${where}: EventSourceArn needs an SQS service`);
}
