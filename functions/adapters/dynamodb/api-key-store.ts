/**
 * API keys, each in two items: by the hash of its secret for the authorizer, and by its user for the list. The
 * first decides, so it is written first and revoked first.
 */
import { GetCommand, paginateQuery, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { ALL_SCOPES } from '../../core/identity/scopes.ts';
import type { ApiKey, ApiKeyStore } from '../../core/ports.ts';
import { expiryOf, readRow, whenConditionHolds, type StoreOptions } from './table.ts';

const keyRowSchema = z
  .object({
    keyId: z.string(),
    userId: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(ALL_SCOPES)),
    createdAt: z.string(),
    validUntil: z.string().nullable(),
    revokedAt: z.string().nullable(),
  })
  .transform(({ validUntil, ...rest }): ApiKey => ({ ...rest, expiresAt: validUntil }));
const ownerRowSchema = z.object({ secretHash: z.string() });

const secretKey = (secretHash: string) => ({ pk: `APIKEY#${secretHash}`, sk: 'APIKEY' });
const ownerKey = (userId: string, keyId: string) => ({ pk: `USER#${userId}`, sk: `APIKEY#${keyId}` });

/** `expiresAt` is the table's own word for its TTL: an expired key stays listed for 30 days. */
const fieldsOf = ({ expiresAt, ...key }: ApiKey) => ({
  ...key,
  validUntil: expiresAt,
  ...(expiresAt !== null && { expiresAt: expiryOf(Date.parse(expiresAt)) }),
});

export const createApiKeyStore = ({ table: { client, tableName: TableName } }: StoreOptions): ApiKeyStore => {
  const markRevoked = async (Key: Readonly<Record<string, string>>, at: string): Promise<boolean> => {
    const marked = await whenConditionHolds(
      client.send(
        new UpdateCommand({
          TableName,
          Key,
          // A first revocation stands; NULL is what a key has that was not revoked.
          ConditionExpression: 'attribute_exists(pk) AND attribute_type(revokedAt, :null)',
          UpdateExpression: 'SET revokedAt = :at',
          ExpressionAttributeValues: { ':at': at, ':null': 'NULL' },
        }),
      ),
    );
    return marked !== undefined;
  };
  return {
    create: async (key, secretHash) => {
      const fields = fieldsOf(key);
      // Should the second write fail, nobody ever learns the secret of the first.
      await client.send(new PutCommand({ TableName, Item: { ...secretKey(secretHash), ...fields } }));
      const Item = { ...ownerKey(key.userId, key.keyId), ...fields, secretHash };
      await client.send(new PutCommand({ TableName, Item }));
    },
    findBySecret: async (secretHash) => {
      const Key = secretKey(secretHash);
      const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      return Item === undefined ? undefined : readRow(keyRowSchema, Item);
    },
    list: async (userId) => {
      const pages = paginateQuery(
        { client },
        {
          TableName,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
          ExpressionAttributeValues: { ':pk': `USER#${userId}`, ':sk': 'APIKEY#' },
        },
      );
      const keys: ApiKey[] = [];
      for await (const { Items = [] } of pages) keys.push(...Items.map((row) => readRow(keyRowSchema, row)));
      return keys.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.keyId.localeCompare(b.keyId));
    },
    revoke: async (userId, keyId, at) => {
      const Key = ownerKey(userId, keyId);
      const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      if (Item === undefined) return false;
      await markRevoked(secretKey(readRow(ownerRowSchema, Item).secretHash), at);
      await markRevoked(Key, at);
      return true;
    },
  };
};
