/** Open WebSocket connections. They expire by themselves: API Gateway ends a connection after two hours. */
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { ConnectionStore } from '../../core/ports.ts';
import { expiryOf, readRow, whenConditionHolds, type StoreOptions } from './table.ts';

const connectionRowSchema = z.object({
  connectionId: z.string(),
  userId: z.string(),
  jobIds: z
    .set(z.string())
    .optional()
    .transform((set) => [...(set ?? [])]),
});

const connectionKey = (connectionId: string) => ({ pk: `CONNECTION#${connectionId}`, sk: 'CONNECTION' });

export const createConnectionStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): ConnectionStore => {
  const get: ConnectionStore['get'] = async (connectionId) => {
    const Key = connectionKey(connectionId);
    const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
    return Item === undefined ? undefined : readRow(connectionRowSchema, Item);
  };
  return {
    create: async (connectionId, userId) => {
      const Item = {
        ...connectionKey(connectionId),
        connectionId,
        userId,
        expiresAt: expiryOf(clock.now(), 1),
      };
      await client.send(new PutCommand({ TableName, Item }));
    },
    get,
    addJob: async (connectionId, jobId, max) => {
      const added = await whenConditionHolds(
        client.send(
          new UpdateCommand({
            TableName,
            Key: connectionKey(connectionId),
            ConditionExpression:
              'attribute_exists(pk) AND (attribute_not_exists(jobIds) OR contains(jobIds, :job) OR size(jobIds) < :max)',
            UpdateExpression: 'ADD jobIds :jobs',
            ExpressionAttributeValues: { ':job': jobId, ':jobs': new Set([jobId]), ':max': max },
          }),
        ),
      );
      if (added !== undefined) return 'added';
      return (await get(connectionId)) === undefined ? 'gone' : 'full';
    },
    removeJob: async (connectionId, jobId) => {
      await whenConditionHolds(
        client.send(
          new UpdateCommand({
            TableName,
            Key: connectionKey(connectionId),
            ConditionExpression: 'attribute_exists(pk)',
            UpdateExpression: 'DELETE jobIds :jobs',
            ExpressionAttributeValues: { ':jobs': new Set([jobId]) },
          }),
        ),
      );
    },
    remove: async (connectionId) => {
      await client.send(new DeleteCommand({ TableName, Key: connectionKey(connectionId) }));
    },
  };
};
