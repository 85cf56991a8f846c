/** Followers of a job, kept on the job itself: the write that applies an event answers them, so no query follows. */
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { SubscriptionStore } from '../../core/ports.ts';
import { jobKey, jobOfRow } from './job-row.ts';
import { whenConditionHolds, type StoreOptions } from './table.ts';

export const createSubscriptionStore = ({
  table: { client, tableName: TableName },
}: StoreOptions): SubscriptionStore => ({
  subscribe: async (jobId, userId, connectionId, previews = false) => {
    const updated = await whenConditionHolds(
      client.send(
        new UpdateCommand({
          TableName,
          Key: jobKey(jobId),
          ConditionExpression: 'userId = :user',
          UpdateExpression: `ADD connections :connection${previews ? ', previewConnections :connection' : ''}`,
          ExpressionAttributeValues: { ':user': userId, ':connection': new Set([connectionId]) },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return updated?.Attributes === undefined ? undefined : jobOfRow(updated.Attributes);
  },
  unsubscribe: async (jobId, connectionId) => {
    await whenConditionHolds(
      client.send(
        new UpdateCommand({
          TableName,
          Key: jobKey(jobId),
          ConditionExpression: 'attribute_exists(pk)',
          UpdateExpression: 'DELETE connections :connection, previewConnections :connection',
          ExpressionAttributeValues: { ':connection': new Set([connectionId]) },
        }),
      ),
    );
  },
});
