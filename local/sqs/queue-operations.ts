/** The calls of the SQS API (AWS JSON 1.0). */
import * as z from 'zod';
import { AwsJsonError } from '../eventbridge/aws-json.ts';
import type { Operation } from '../eventbridge/aws-json.ts';
import { attributesMd5, md5Hex, messageAttributeSchema } from './message-digest.ts';
import type { Message, MessageQueue } from './message-queue.ts';
import { attributeSchema } from './queue-settings.ts';
import type { QueueAttributes } from './queue-settings.ts';

/** What the calls need of the service. */
export interface QueueDirectory {
  byUrl(queueUrl: string): MessageQueue | undefined;
  byName(name: string): MessageQueue | undefined;
  all(): readonly MessageQueue[];
  create(name: string, attributes: QueueAttributes): MessageQueue;
  urlOf(queue: MessageQueue): string;
}

const MAX_BATCH_BYTES = 1_048_576;
const attributes = z.record(z.string(), messageAttributeSchema).nullish();
const sendFields = {
  MessageBody: z.string(),
  DelaySeconds: z.number().int().min(0).max(900).nullish(),
  MessageAttributes: attributes,
};
const onQueue = z.object({ QueueUrl: z.string() });
const sendInput = onQueue.extend(sendFields);
const sendBatchInput = onQueue.extend({ Entries: z.array(z.object({ Id: z.string(), ...sendFields })) });
const receiveInput = onQueue.extend({
  MaxNumberOfMessages: z.number().int().min(1).max(10).nullish(),
  WaitTimeSeconds: z.number().int().min(0).max(20).nullish(),
  VisibilityTimeout: z.number().int().min(0).max(43_200).nullish(),
  AttributeNames: z.array(z.string()).nullish(),
  MessageSystemAttributeNames: z.array(z.string()).nullish(),
  MessageAttributeNames: z.array(z.string()).nullish(),
});
const handleFields = { ReceiptHandle: z.string() };
const visibilityFields = { ...handleFields, VisibilityTimeout: z.number().int().min(0).max(43_200) };
const removeBatchInput = onQueue.extend({ Entries: z.array(z.object({ Id: z.string(), ...handleFields })) });
const visibilityBatchInput = onQueue.extend({
  Entries: z.array(z.object({ Id: z.string(), ...visibilityFields })),
});
const attributesInput = onQueue.extend({ AttributeNames: z.array(z.string()).nullish() });
const createInput = z.object({
  QueueName: z.string(),
  Attributes: z.record(z.string(), z.string()).nullish(),
});
const listInput = z.object({ QueueNamePrefix: z.string().nullish() });

type SendFields = z.infer<z.ZodObject<typeof sendFields>>;

/** `closing` ends the long polls that are under way. */
export function queueOperations(
  directory: QueueDirectory,
  closing: AbortSignal,
): Readonly<Record<string, Operation>> {
  const queueOf = (input: { QueueUrl: string }) => directory.byUrl(input.QueueUrl) ?? noSuchQueue();
  return {
    SendMessage: (input) => sendMessage(queueOf(onQueue.parse(input)), sendInput.parse(input)),
    SendMessageBatch: (input) =>
      sendBatch(queueOf(onQueue.parse(input)), sendBatchInput.parse(input).Entries),
    ReceiveMessage: (input, signal) =>
      receive(queueOf(onQueue.parse(input)), receiveInput.parse(input), AbortSignal.any([signal, closing])),
    DeleteMessage: (input) =>
      remove(queueOf(onQueue.parse(input)), onQueue.extend(handleFields).parse(input)),
    DeleteMessageBatch: (input) => {
      const { Entries } = removeBatchInput.parse(input);
      return batch(Entries, (entry) => remove(queueOf(onQueue.parse(input)), entry));
    },
    ChangeMessageVisibility: (input) =>
      hide(queueOf(onQueue.parse(input)), onQueue.extend(visibilityFields).parse(input)),
    ChangeMessageVisibilityBatch: (input) => {
      const { Entries } = visibilityBatchInput.parse(input);
      return batch(Entries, (entry) => hide(queueOf(onQueue.parse(input)), entry));
    },
    PurgeQueue: (input) => queueOf(onQueue.parse(input)).purge(),
    GetQueueUrl: (input) => {
      const queue =
        directory.byName(z.object({ QueueName: z.string() }).parse(input).QueueName) ?? noSuchQueue();
      return { QueueUrl: directory.urlOf(queue) };
    },
    GetQueueAttributes: (input) => {
      const { QueueUrl, AttributeNames } = attributesInput.parse(input);
      return { Attributes: chosen(queueAttributes(queueOf({ QueueUrl })), AttributeNames ?? []) };
    },
    ListQueues: (input) => {
      const prefix = listInput.parse(input).QueueNamePrefix ?? '';
      const queues = directory.all().filter((queue) => queue.name.startsWith(prefix));
      return { QueueUrls: queues.map((queue) => directory.urlOf(queue)) };
    },
    CreateQueue: (input) => createQueue(directory, createInput.parse(input)),
  };
}

function createQueue(directory: QueueDirectory, input: z.infer<typeof createInput>) {
  const known = directory.byName(input.QueueName);
  const queue = known ?? directory.create(input.QueueName, attributeSchema.parse(input.Attributes ?? {}));
  return { QueueUrl: directory.urlOf(queue) };
}

function sendMessage(queue: MessageQueue, input: SendFields) {
  if (input.MessageBody === '')
    throw invalid('MissingParameter', 'The request must contain the parameter MessageBody.');
  const bytes = sizeOf(input);
  if (bytes > queue.settings.maxMessageBytes) {
    const limit = queue.settings.maxMessageBytes;
    throw invalid(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
    );
  }
  // The characters that XML 1.0 has no place for; SQS refuses them to this day.
  if (/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u.test(input.MessageBody)) {
    throw invalid('InvalidMessageContents', 'The message contains characters outside the allowed set.');
  }
  const given = input.MessageAttributes ?? {};
  if (Object.keys(given).length > 10)
    throw invalid('InvalidParameterValue', 'Number of message attributes exceeds the allowed maximum [10].');
  const message = queue.send(input.MessageBody, given, input.DelaySeconds ?? undefined);
  return {
    MessageId: message.id,
    MD5OfMessageBody: md5Hex(message.body),
    MD5OfMessageAttributes: attributesMd5(given),
  };
}

function sendBatch(queue: MessageQueue, entries: z.infer<typeof sendBatchInput>['Entries']) {
  if (entries.reduce((sum, entry) => sum + sizeOf(entry), 0) > MAX_BATCH_BYTES) {
    throw invalid('BatchRequestTooLong', `Batch requests cannot be longer than ${MAX_BATCH_BYTES} bytes.`);
  }
  return batch(entries, (entry) => sendMessage(queue, entry));
}

async function receive(queue: MessageQueue, input: z.infer<typeof receiveInput>, signal: AbortSignal) {
  const waitMs = (input.WaitTimeSeconds ?? queue.settings.waitSeconds) * 1000;
  const received = await queue.receive(
    input.MaxNumberOfMessages ?? 1,
    waitMs,
    input.VisibilityTimeout ?? undefined,
    signal,
  );
  const systemNames = [...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])];
  return {
    Messages: received.map((message) => wireMessage(message, systemNames, input.MessageAttributeNames ?? [])),
  };
}

function wireMessage(message: Message, systemNames: readonly string[], attributeNames: readonly string[]) {
  const wanted = Object.entries(message.messageAttributes).filter(([name]) =>
    attributeNames.some((one) => names(one, name)),
  );
  const MessageAttributes = Object.fromEntries(wanted);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: md5Hex(message.body),
    Body: message.body,
    Attributes: systemNames.length === 0 ? undefined : chosen(systemAttributes(message), systemNames),
    ...(wanted.length === 0
      ? {}
      : { MessageAttributes, MD5OfMessageAttributes: attributesMd5(MessageAttributes) }),
  };
}

export function systemAttributes(message: Message): Record<string, string> {
  return {
    SenderId: 'AIDALOCAL',
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    ...(message.deadLetterSourceArn === undefined
      ? {}
      : { DeadLetterQueueSourceArn: message.deadLetterSourceArn }),
  };
}

function queueAttributes(queue: MessageQueue): Record<string, string> {
  const { visible, inFlight, delayed } = queue.counts();
  const { settings } = queue;
  return {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(inFlight),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: String(Math.floor(queue.createdAt / 1000)),
    VisibilityTimeout: String(settings.visibilityTimeoutSeconds),
    DelaySeconds: String(settings.delaySeconds),
    MessageRetentionPeriod: String(settings.retentionSeconds),
    ReceiveMessageWaitTimeSeconds: String(settings.waitSeconds),
    MaximumMessageSize: String(settings.maxMessageBytes),
    ...(settings.redrive === undefined ? {} : { RedrivePolicy: JSON.stringify(settings.redrive) }),
  };
}

function remove(queue: MessageQueue, { ReceiptHandle }: { ReceiptHandle: string }): object {
  if (queue.remove(ReceiptHandle)) return {};
  throw invalid('ReceiptHandleIsInvalid', 'The input receipt handle is invalid.');
}

function hide(queue: MessageQueue, input: { ReceiptHandle: string; VisibilityTimeout: number }): object {
  if (queue.changeVisibility(input.ReceiptHandle, input.VisibilityTimeout)) return {};
  throw invalid('MessageNotInflight', 'The message referred to is not in flight.');
}

/** Runs each entry on its own; what fails is listed beside what succeeds. */
function batch<T extends { Id: string }>(entries: readonly T[], work: (entry: T) => object) {
  if (entries.length === 0)
    throw invalid('EmptyBatchRequest', 'There should be at least one entry in the request.');
  if (entries.length > 10)
    throw invalid('TooManyEntriesInBatchRequest', 'Maximum number of entries per request are 10.');
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length)
    throw invalid('BatchEntryIdsNotDistinct', 'An Id is repeated.');
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...work(entry) });
    } catch (error) {
      if (!(error instanceof AwsJsonError)) throw error;
      Failed.push({ Id: entry.Id, Code: error.code, Message: error.message, SenderFault: true });
    }
  }
  return { Successful, Failed };
}

function sizeOf(input: SendFields): number {
  const sizes = Object.entries(input.MessageAttributes ?? {}).map(([name, attribute]) => {
    return (
      Buffer.byteLength(name + attribute.DataType + (attribute.StringValue ?? '')) +
      Buffer.byteLength(attribute.BinaryValue ?? '', 'base64')
    );
  });
  return sizes.reduce((sum, size) => sum + size, Buffer.byteLength(input.MessageBody));
}

function chosen(all: Readonly<Record<string, string>>, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => wanted.includes('All') || wanted.includes(name)),
  );
}

/** `All`, `.*`, a name, or a prefix such as `job.*`. */
function names(wanted: string, name: string): boolean {
  if (wanted === 'All' || wanted === '.*') return true;
  return wanted.endsWith('.*') ? name.startsWith(wanted.slice(0, -2)) : wanted === name;
}

function noSuchQueue(): never {
  throw invalid('QueueDoesNotExist', 'The specified queue does not exist.');
}

function invalid(code: string, message: string): AwsJsonError {
  return new AwsJsonError(code, message);
}
