/** One-time tickets for the socket. Redeeming one is a conditional delete: of two who try, one succeeds. */
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { TicketStore } from '../../core/ports.ts';
import { expiryOf, readRow, whenConditionHolds, type StoreOptions } from './table.ts';

const ticketRowSchema = z.object({ userId: z.string() });
const ticketKey = (secretHash: string) => ({ pk: `TICKET#${secretHash}`, sk: 'TICKET' });

export const createTicketStore = ({
  table: { client, tableName: TableName },
}: StoreOptions): TicketStore => ({
  create: async (secretHash, userId, validUntil) => {
    const expiresAt = expiryOf(Date.parse(validUntil), 1);
    const Item = { ...ticketKey(secretHash), userId, validUntil, expiresAt };
    await client.send(new PutCommand({ TableName, Item }));
  },
  redeem: async (secretHash, now) => {
    const deleted = await whenConditionHolds(
      client.send(
        new DeleteCommand({
          TableName,
          Key: ticketKey(secretHash),
          // Both are ISO 8601 in UTC with milliseconds, which order as text.
          ConditionExpression: 'validUntil > :now',
          ExpressionAttributeValues: { ':now': now },
          ReturnValues: 'ALL_OLD',
        }),
      ),
    );
    return deleted?.Attributes === undefined
      ? undefined
      : readRow(ticketRowSchema, deleted.Attributes).userId;
  },
});
