/** Idempotency-Keys, each an item of its user: a conditional put, so that of many who claim one the first has it. */
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { IdempotencyStore, KeyedRequest } from '../../core/submission/ports.ts';
import { expiryOf, readRow, whenConditionHolds, type StoreOptions } from './table.ts';

const rowSchema = z
  .object({ jobId: z.uuid(), requestHash: z.string(), expiresAt: z.number() })
  .transform(({ expiresAt, ...request }): { request: KeyedRequest; expiresAt: number } => ({
    request,
    expiresAt,
  }));

const idempotencyKey = (userId: string, keyHash: string) => ({
  pk: `USER#${userId}`,
  sk: `IDEMPOTENCY#${keyHash}`,
});

/** An item that has expired is none, although DynamoDB may take days to remove it. */
export const createIdempotencyStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): IdempotencyStore => {
  const nowSeconds = (): number => Math.floor(clock.now() / 1000);
  const get = async (userId: string, keyHash: string): Promise<KeyedRequest | undefined> => {
    const Key = idempotencyKey(userId, keyHash);
    const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
    const row = Item === undefined ? undefined : readRow(rowSchema, Item);
    return row === undefined || row.expiresAt <= nowSeconds() ? undefined : row.request;
  };
  return {
    get,
    claim: async (userId, keyHash, { jobId, requestHash }) => {
      const put = await whenConditionHolds(
        client.send(
          new PutCommand({
            TableName,
            Item: {
              ...idempotencyKey(userId, keyHash),
              jobId,
              requestHash,
              expiresAt: expiryOf(clock.now()),
            },
            ConditionExpression: 'attribute_not_exists(pk) OR expiresAt <= :now',
            ExpressionAttributeValues: { ':now': nowSeconds() },
          }),
        ),
      );
      if (put !== undefined) return { jobId, requestHash };
      const first = await get(userId, keyHash);
      if (first !== undefined) return first;
      // It expired between the two calls.
      const message = 'an Idempotency-Key expired while it was read';
      throw new PipelineError('idempotency.expired', message, { retryable: true });
    },
  };
};
