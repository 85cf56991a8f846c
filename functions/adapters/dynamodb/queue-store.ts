/** Pending jobs, a partition a user: the sort key is the order of dispatch, and every read is consistent. */
import { DeleteCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Ids, QueueEntry, QueueStore } from '../../core/ports.ts';
import { queueSortKey } from './queue-key.ts';
import { touchShare } from './share-row.ts';
import { expiryOf, queryPages, readRows, type StoreOptions } from './table.ts';

const entryRowSchema = z.object({
  jobId: z.string(),
  userId: z.string(),
  priority: z.number().int(),
  queuedAt: z.string(),
  notBefore: z.string().nullable(),
  needs: z.object({
    classes: z.array(z.string()),
    models: z.array(z.string()),
    tags: z.array(z.string()),
  }),
});

const partitionOf = (userId: string): string => `QUEUE#${userId}`;
const entryKey = (entry: QueueEntry) => ({ pk: partitionOf(entry.userId), sk: queueSortKey(entry) });

/** @param ids each put marks its user's queue with an id of its own, so that a pass which saw it empty cannot unmark it */
export const createQueueStore = (options: StoreOptions & { readonly ids: Ids }): QueueStore => {
  const { table, clock, logger, ids } = options;
  const { client, tableName: TableName } = table;
  return {
    put: async (entry) => {
      const Item = { ...entryKey(entry), ...entry, expiresAt: expiryOf(clock.now()) };
      await client.send(new PutCommand({ TableName, Item }));
      await touchShare(options, entry.userId, { waitingStamp: ids.uuid() });
    },
    list: async (userId, limit, after) => {
      const entries: QueueEntry[] = [];
      if (limit <= 0) return entries;
      const pages = queryPages(table, {
        KeyConditionExpression: 'pk = :queue',
        ExpressionAttributeValues: { ':queue': partitionOf(userId) },
        ConsistentRead: true,
        Limit: limit,
        ...(after === undefined
          ? {}
          : { ExclusiveStartKey: { ...entryKey(after), pk: partitionOf(userId) } }),
      });
      // A page may be short although more follows: of a megabyte at most, and without the rows that do not read.
      for await (const rows of pages) {
        entries.push(...readRows(entryRowSchema, rows, logger));
        if (entries.length >= limit) break;
      }
      return entries.slice(0, limit);
    },
    remove: async (entry) => {
      await client.send(new DeleteCommand({ TableName, Key: entryKey(entry) }));
    },
    count: async (userId, max) => {
      let counted = 0;
      let start: Record<string, unknown> | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName,
            KeyConditionExpression: 'pk = :queue',
            ExpressionAttributeValues: { ':queue': partitionOf(userId) },
            ConsistentRead: true,
            Select: 'COUNT',
            Limit: Math.max(1, max - counted),
            ...(start === undefined ? {} : { ExclusiveStartKey: start }),
          }),
        );
        counted += page.Count ?? 0;
        start = page.LastEvaluatedKey;
      } while (start !== undefined && counted < max);
      return Math.min(counted, max);
    },
  };
};
