import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import * as z from 'zod';
import type {
  AwsPlace,
  AwsService,
  Log,
  ProvisionedResource,
  QueueSender,
  ResourceProviders,
  ResourceRequest,
} from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { answerAwsJson, describeIssues } from '../eventbridge/aws-json.ts';
import type { MessageAttributes } from './message-digest.ts';
import { MessageQueue, messageSchema } from './message-queue.ts';
import type { Message } from './message-queue.ts';
import { queueOperations, systemAttributes } from './queue-operations.ts';
import type { QueueDirectory } from './queue-operations.ts';
import { queueSchema, settingsOf } from './queue-settings.ts';
import type { QueueAttributes } from './queue-settings.ts';

export interface SqsOptions {
  readonly place: AwsPlace;
  /** Base of queue URLs, without a slash at the end; asked when a URL is needed. */
  readonly endpoint: () => string;
  /** Where messages outlive the process. In memory without it. */
  readonly dataDir?: string | undefined;
  readonly log: Log;
}

/** A message as an event source mapping hands it on. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: MessageAttributes;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** SQS with standard queues. */
export class SqsService implements AwsService, QueueSender {
  readonly signingName = 'sqs';
  readonly providers: ResourceProviders = { 'AWS::SQS::Queue': async (request) => this.#provide(request) };
  readonly #options: SqsOptions;
  readonly #queues = new Map<string, MessageQueue>();
  readonly #unsaved = new Set<MessageQueue>();
  readonly #closing = new AbortController();
  readonly #directory: QueueDirectory = {
    byUrl: (url) => this.#queues.get(url.slice(url.lastIndexOf('/') + 1)),
    byName: (name) => this.#queues.get(name),
    all: () => [...this.#queues.values()],
    create: (name, attributes) => this.#create(name, attributes),
    urlOf: (queue) => this.#urlOf(queue.name),
  };

  constructor(options: SqsOptions) {
    this.#options = options;
    if (options.dataDir !== undefined) mkdirSync(options.dataDir, { recursive: true });
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operations = queueOperations(this.#directory, this.#closing.signal);
    const protocol = {
      targetPrefix: 'AmazonSQS',
      version: '1.0',
      operations,
      maxBodyBytes: MAX_BODY_BYTES,
    } as const;
    await answerAwsJson(protocol, request, response);
  }

  /** Sends with string attributes. Rejects (`QueueDoesNotExist` of code `NonExistentQueue`) when there is no such queue. */
  async send(
    queueArn: string,
    body: string,
    attributes: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const typed = Object.entries(attributes).map(
      ([name, StringValue]) => [name, { DataType: 'String', StringValue }] as const,
    );
    this.#byArn(queueArn).send(body, Object.fromEntries(typed));
  }

  /** Up to `max` (1–10) messages, waiting for the first at most `waitMs`. Ends early, empty, when the service closes. */
  async receive(queueArn: string, max: number, waitMs: number): Promise<ReceivedMessage[]> {
    const received = await this.#byArn(queueArn).receive(max, waitMs, undefined, this.#closing.signal);
    return received.map((message) => ({
      messageId: message.id,
      receiptHandle: message.receiptHandle ?? '',
      body: message.body,
      attributes: systemAttributes(message),
      messageAttributes: message.messageAttributes,
    }));
  }

  async remove(queueArn: string, receiptHandle: string): Promise<void> {
    if (this.#byArn(queueArn).remove(receiptHandle)) return;
    throw new EmbeddedAwsError('ReceiptHandleIsInvalid', `No message of ${queueArn} has this receipt handle`);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const queue of this.#unsaved) this.#save(queue);
  }

  #provide(request: ResourceRequest): ProvisionedResource {
    const parsed = queueSchema.safeParse(request.properties);
    if (!parsed.success) {
      const message = `${request.type} ${request.logicalId}: ${describeIssues(parsed.error)}`;
      throw new EmbeddedAwsError('UnsupportedProperty', message, { cause: parsed.error });
    }
    const name = parsed.data.QueueName ?? `${request.stackName}-${request.logicalId}`.slice(0, 80);
    if (this.#queues.has(name))
      throw new EmbeddedAwsError('QueueNameExists', `${request.logicalId}: queue ${name} exists already`);
    const queue = this.#create(name, parsed.data);
    return {
      ref: this.#urlOf(name),
      attributes: { Arn: queue.arn, QueueName: name, QueueUrl: this.#urlOf(name) },
    };
  }

  #create(name: string, attributes: QueueAttributes): MessageQueue {
    const { region, accountId } = this.#options.place;
    const queue: MessageQueue = new MessageQueue({
      name,
      arn: `arn:aws:sqs:${region}:${accountId}:${name}`,
      settings: settingsOf(attributes),
      deadLetter: (arn, message) => this.#deadLetter(arn, message),
      changed: () => this.#saveSoon(queue),
      messages: this.#load(name),
    });
    this.#queues.set(name, queue);
    return queue;
  }

  #deadLetter(arn: string, message: Message): boolean {
    const target = this.#queues.get(arn.slice(arn.lastIndexOf(':') + 1));
    if (target) target.put(message);
    else this.#options.log('sqs.dead_letter_queue_missing', { queue: arn, messageId: message.id });
    return target !== undefined;
  }

  #byArn(queueArn: string): MessageQueue {
    const queue = this.#queues.get(queueArn.slice(queueArn.lastIndexOf(':') + 1));
    if (queue) return queue;
    throw new EmbeddedAwsError('NonExistentQueue', `The queue ${queueArn} does not exist`);
  }

  #urlOf(name: string): string {
    return `${this.#options.endpoint()}/${this.#options.place.accountId}/${name}`;
  }

  /** One snapshot for all changes of a turn of the event loop. */
  #saveSoon(queue: MessageQueue): void {
    if (this.#options.dataDir === undefined || this.#unsaved.has(queue)) return;
    this.#unsaved.add(queue);
    setImmediate(() => {
      if (this.#unsaved.has(queue)) this.#save(queue);
    });
  }

  #save(queue: MessageQueue): void {
    this.#unsaved.delete(queue);
    const path = this.#file(queue.name);
    if (path === undefined) return;
    writeFileSync(`${path}.new`, JSON.stringify(queue.snapshot()));
    renameSync(`${path}.new`, path);
  }

  #load(name: string): Message[] {
    const path = this.#file(name);
    if (path === undefined || !existsSync(path)) return [];
    return z.array(messageSchema).parse(JSON.parse(readFileSync(path, 'utf8')));
  }

  #file(name: string): string | undefined {
    const { dataDir } = this.#options;
    return dataDir === undefined ? undefined : join(dataDir, `${encodeURIComponent(name)}.json`);
  }
}
