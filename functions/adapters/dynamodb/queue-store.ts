/** Pending jobs: the sort key is the order of dispatch, and every read is consistent. */
import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { QueueEntry, QueueStore } from '../../core/ports.ts';
import { expiryOf, readRows, type StoreOptions } from './table.ts';

const entryRowSchema = z.object({
  jobId: z.string(),
  priority: z.number().int(),
  queuedAt: z.string(),
  notBefore: z.string().nullable(),
});

const entryKey = ({ jobId, priority, queuedAt }: QueueEntry) => ({
  pk: 'QUEUE',
  sk: `${String(10 - priority).padStart(2, '0')}#${queuedAt}#${jobId}`,
});

export const createQueueStore = ({
  table: { client, tableName: TableName },
  clock,
  logger,
}: StoreOptions): QueueStore => ({
  put: async (entry) => {
    const Item = { ...entryKey(entry), ...entry, expiresAt: expiryOf(clock.now()) };
    await client.send(new PutCommand({ TableName, Item }));
  },
  list: async (limit, after) => {
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :queue',
        ExpressionAttributeValues: { ':queue': 'QUEUE' },
        ConsistentRead: true,
        Limit: limit,
        ...(after === undefined ? {} : { ExclusiveStartKey: entryKey(after) }),
      }),
    );
    return readRows(entryRowSchema, Items, logger);
  },
  remove: async (entry) => {
    await client.send(new DeleteCommand({ TableName, Key: entryKey(entry) }));
  },
});
