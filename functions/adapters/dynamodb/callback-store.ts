/**
 * Callbacks beside their job, and the signing secrets of users. Pending callbacks carry `due` and `dueAt`, so the
 * index `by-due` finds those whose time has come.
 */
import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Callback, CallbackSecrets, CallbackStore } from '../../core/callbacks/callback.ts';
import { BY_DUE_INDEX, expiryOf, readRow, readRows, whenConditionHolds, type StoreOptions } from './table.ts';

const instant = z.iso.datetime({ offset: true });

const callbackRowSchema = z.object({
  jobId: z.string(),
  userId: z.string(),
  callbackId: z.string(),
  event: z.enum(['task.completed', 'task.failed', 'task.cancelled']),
  url: z.string(),
  status: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.array(
    z.object({
      at: instant,
      statusCode: z.number().int().nullable(),
      error: z.string(),
      durationMs: z.number().min(0),
    }),
  ),
  tries: z.number().int().min(0),
  nextAttemptAt: instant.nullable(),
  inFlight: z.boolean(),
});

const secretsRowSchema = z.object({
  current: z.string(),
  previous: z.object({ secret: z.string(), until: instant }).nullable(),
});

const DUE = 'CALLBACK';
const PREFIX = 'CALLBACK#';
const callbackKey = (jobId: string, callbackId: string) => ({
  pk: `JOB#${jobId}`,
  sk: `${PREFIX}${callbackId}`,
});
const secretsKey = (userId: string) => ({ pk: `USER#${userId}`, sk: 'CALLBACK_SECRETS' });

/** `userId` is the partition of the index `by-user`, which holds jobs alone: it needs `createdKey` as well. */
const rowOf = (callback: Callback, nowMs: number): Record<string, unknown> => ({
  ...callbackKey(callback.jobId, callback.callbackId),
  ...callback,
  ...(callback.nextAttemptAt === null ? {} : { due: DUE, dueAt: callback.nextAttemptAt }),
  expiresAt: expiryOf(nowMs),
});

export const createCallbackStore = ({
  table: { client, tableName: TableName },
  clock,
  logger,
}: StoreOptions): CallbackStore => {
  const get: CallbackStore['get'] = async (jobId, callbackId) => {
    const { Item } = await client.send(
      new GetCommand({ TableName, Key: callbackKey(jobId, callbackId), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : readRow(callbackRowSchema, Item);
  };
  const readSecrets = async (userId: string): Promise<CallbackSecrets | undefined> => {
    const { Item } = await client.send(
      new GetCommand({ TableName, Key: secretsKey(userId), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : readRow(secretsRowSchema, Item);
  };

  return {
    create: async (callback) => {
      const created = await whenConditionHolds(
        client.send(
          new PutCommand({
            TableName,
            Item: rowOf(callback, clock.now()),
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        ),
      );
      return created === undefined ? 'exists' : 'created';
    },
    get,
    list: async (jobId) => {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :job AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':job': `JOB#${jobId}`, ':prefix': PREFIX },
          ConsistentRead: true,
        }),
      );
      return readRows(callbackRowSchema, Items, logger);
    },
    replace: async (read, next) => {
      const replaced = await whenConditionHolds(
        client.send(
          new PutCommand({
            TableName,
            Item: rowOf(next, clock.now()),
            ConditionExpression: '#status = :status AND nextAttemptAt = :next',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: { ':status': read.status, ':next': read.nextAttemptAt },
          }),
        ),
      );
      return replaced !== undefined;
    },
    due: async (now, limit) => {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName,
          IndexName: BY_DUE_INDEX,
          KeyConditionExpression: 'due = :due AND dueAt <= :now',
          ExpressionAttributeValues: { ':due': DUE, ':now': now },
          Limit: limit,
        }),
      );
      return Items.flatMap(({ pk, sk }) =>
        typeof pk === 'string' && typeof sk === 'string' && sk.startsWith(PREFIX)
          ? [{ jobId: pk.slice('JOB#'.length), callbackId: sk.slice(PREFIX.length) }]
          : [],
      );
    },
    secrets: async (userId, fresh) => {
      const stored = await readSecrets(userId);
      if (stored !== undefined) return stored;
      const created = { current: fresh, previous: null };
      const put = await whenConditionHolds(
        client.send(
          new PutCommand({
            TableName,
            Item: { ...secretsKey(userId), ...created },
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        ),
      );
      return put === undefined ? ((await readSecrets(userId)) ?? created) : created;
    },
    rotate: async (userId, fresh, previousUntil) => {
      const stored = await readSecrets(userId);
      const previous = stored === undefined ? null : { secret: stored.current, until: previousUntil };
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName,
          Key: secretsKey(userId),
          UpdateExpression: 'SET #current = :fresh, #previous = :previous',
          ExpressionAttributeNames: { '#current': 'current', '#previous': 'previous' },
          ExpressionAttributeValues: { ':fresh': fresh, ':previous': previous },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return readRow(secretsRowSchema, Attributes ?? {});
    },
  };
};
