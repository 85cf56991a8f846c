/** What holds for the stored keys and tickets must hold for the fakes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import type { ApiKey, ApiKeyStore, TicketStore } from '../../core/ports.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeApiKeyStore } from './api-key-store.fake.ts';
import { createApiKeyStore } from './api-key-store.ts';
import { createFakeTicketStore } from './ticket-store.fake.ts';
import { createTicketStore } from './ticket-store.ts';

let dynalite: TestTable;
beforeAll(async () => {
  dynalite = await startTable();
});
afterAll(() => dynalite.stop());

const clock = createFakeClock();
const START = clock.iso();

let serial = 0;
const fresh = (what: string): string => `${what}-${(serial += 1)}`;
const makeKey = (overrides: Partial<ApiKey> = {}): ApiKey => ({
  keyId: fresh('key'),
  userId: fresh('user'),
  name: 'ünï 世界',
  scopes: ['tasks:read', 'admin'],
  createdAt: START,
  expiresAt: null,
  revokedAt: null,
  ...overrides,
});

const stores: readonly [string, () => { keys: ApiKeyStore; tickets: TicketStore }][] = [
  ['in memory', () => ({ keys: createFakeApiKeyStore(), tickets: createFakeTicketStore() })],
  [
    'in the table',
    () => {
      const options = { table: dynalite.table, clock };
      return { keys: createApiKeyStore(options), tickets: createTicketStore(options) };
    },
  ],
];

describe.each(stores)('API keys %s', (_where, make) => {
  test('are found by their hash, as they were made', async () => {
    const { keys } = make();
    for (const key of [makeKey(), makeKey({ expiresAt: clock.iso(1000) })]) {
      const hash = fresh('hash');
      await keys.create(key, hash);
      expect(await keys.findBySecret(hash)).toEqual(key);
    }
    expect(await keys.findBySecret('another')).toBeUndefined();
  });

  test('are listed for their user, oldest first', async () => {
    const { keys } = make();
    const userId = fresh('user');
    const [later, sooner] = [makeKey({ userId, createdAt: clock.iso(1) }), makeKey({ userId })];
    for (const key of [later, sooner, makeKey()]) await keys.create(key, fresh('hash'));
    expect(await keys.list(userId)).toEqual([sooner, later]);
    expect(await keys.list('nobody')).toEqual([]);
  });

  test('are revoked at once, by their user alone, and the first time stands', async () => {
    const { keys } = make();
    const [key, hash] = [makeKey(), fresh('hash')];
    await keys.create(key, hash);
    expect(await keys.revoke('another', key.keyId, START)).toBe(false);
    expect(await keys.revoke(key.userId, 'another', START)).toBe(false);
    expect(await keys.findBySecret(hash)).toMatchObject({ revokedAt: null });
    expect(await keys.revoke(key.userId, key.keyId, START)).toBe(true);
    expect(await keys.revoke(key.userId, key.keyId, clock.iso(5000))).toBe(true);
    expect(await keys.findBySecret(hash)).toMatchObject({ revokedAt: START });
    expect(await keys.list(key.userId)).toMatchObject([{ revokedAt: START }]);
  });
});

describe.each(stores)('tickets %s', (_where, make) => {
  test('are redeemed once', async () => {
    const { tickets } = make();
    const hash = fresh('hash');
    await tickets.create(hash, 'user-1', clock.iso(30_000));
    expect(await tickets.redeem(hash, START)).toBe('user-1');
    expect(await tickets.redeem(hash, START)).toBeUndefined();
  });

  test('are redeemed by one of many who try at once', async () => {
    const { tickets } = make();
    const hash = fresh('hash');
    await tickets.create(hash, 'user-1', clock.iso(30_000));
    const users = await Promise.all(Array.from({ length: 20 }, () => tickets.redeem(hash, START)));
    expect(users.filter((user) => user === 'user-1')).toHaveLength(1);
  });

  test('are worth nothing from the moment they expire', async () => {
    const { tickets } = make();
    const [hash, unknown] = [fresh('hash'), fresh('hash')];
    await tickets.create(hash, 'user-1', START);
    expect(await tickets.redeem(hash, START)).toBeUndefined();
    expect(await tickets.redeem(unknown, START)).toBeUndefined();
  });
});

test('a key that expires is forgotten 30 days later, a ticket a day later', async () => {
  const options = { table: dynalite.table, clock };
  const { client, tableName: TableName } = dynalite.table;
  const [key, hash, ticket] = [makeKey({ expiresAt: START }), fresh('hash'), fresh('hash')];
  await createApiKeyStore(options).create(key, hash);
  await createTicketStore(options).create(ticket, 'user-1', START);
  const expiry = async (pk: string, sk: string) =>
    (await client.send(new GetCommand({ TableName, Key: { pk, sk } }))).Item?.['expiresAt'] as unknown;
  const seconds = Date.parse(START) / 1000;
  expect(await expiry(`APIKEY#${hash}`, 'APIKEY')).toBe(seconds + 30 * 86_400);
  expect(await expiry(`USER#${key.userId}`, `APIKEY#${key.keyId}`)).toBe(seconds + 30 * 86_400);
  expect(await expiry(`TICKET#${ticket}`, 'TICKET')).toBe(seconds + 86_400);
});
