import * as z from 'zod';
import type { QueueSettings } from './message-queue.ts';

const seconds = (max: number) => z.coerce.number().int().min(0).max(max);
const redriveSchema = z.object({
  deadLetterTargetArn: z.string().startsWith('arn:'),
  maxReceiveCount: z.coerce.number().int().min(1).max(1000),
});
/** A template gives an object, the API JSON text. */
const redrive = z.preprocess(
  (value) => (typeof value === 'string' ? parseJson(value) : value),
  redriveSchema,
);

export const attributeSchema = z.strictObject({
  VisibilityTimeout: seconds(43_200).default(30),
  DelaySeconds: seconds(900).default(0),
  MessageRetentionPeriod: z.coerce.number().int().min(60).max(1_209_600).default(345_600),
  ReceiveMessageWaitTimeSeconds: seconds(20).default(0),
  MaximumMessageSize: z.coerce.number().int().min(1024).max(1_048_576).default(1_048_576),
  RedrivePolicy: redrive.optional(),
  RedriveAllowPolicy: z.unknown().optional(),
  KmsMasterKeyId: z.unknown().optional(),
  KmsDataKeyReusePeriodSeconds: z.unknown().optional(),
  SqsManagedSseEnabled: z.unknown().optional(),
  Policy: z.unknown().optional(),
  FifoQueue: z
    .preprocess(
      (value) => value === true || value === 'true',
      z.literal(false, 'FIFO queues are not supported'),
    )
    .optional(),
});

export type QueueAttributes = z.infer<typeof attributeSchema>;

export const queueSchema = attributeSchema.extend({
  QueueName: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,80}$/, 'not the name of a standard queue (FIFO queues are not supported)')
    .optional(),
  Tags: z.unknown().optional(),
});

export function settingsOf(attributes: QueueAttributes): QueueSettings {
  return {
    visibilityTimeoutSeconds: attributes.VisibilityTimeout,
    delaySeconds: attributes.DelaySeconds,
    retentionSeconds: attributes.MessageRetentionPeriod,
    waitSeconds: attributes.ReceiveMessageWaitTimeSeconds,
    maxMessageBytes: attributes.MaximumMessageSize,
    redrive: attributes.RedrivePolicy,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
