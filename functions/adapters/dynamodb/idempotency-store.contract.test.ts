/** What holds for the stored keys must hold for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { uuidOf } from '../../core/test-support/fixtures.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeIdempotencyStore } from './idempotency-store.fake.ts';
import { createIdempotencyStore } from './idempotency-store.ts';

let dynalite: TestTable;
beforeAll(async () => {
  dynalite = await startTable();
});
afterAll(() => dynalite.stop());

const DAY_MS = 86_400_000;
let serial = 0;
const freshUser = (): string => `user-${(serial += 1)}`;
const request = (n: number) => ({ jobId: uuidOf(n), requestHash: `hash-${n}` });

describe.each(['in memory', 'in the table'])('an Idempotency-Key %s', (where) => {
  const setUp = () => {
    const clock = createFakeClock();
    const store =
      where === 'in memory'
        ? createFakeIdempotencyStore({ clock })
        : createIdempotencyStore({ table: dynalite.table, clock });
    return { clock, store, userId: freshUser() };
  };

  test('stands for what was claimed first', async () => {
    const { store, userId } = setUp();
    expect(await store.get(userId, 'key')).toBeUndefined();
    expect(await store.claim(userId, 'key', request(1))).toEqual(request(1));
    expect(await store.claim(userId, 'key', request(2))).toEqual(request(1));
    expect(await store.get(userId, 'key')).toEqual(request(1));
  });

  test('is one answer for all who claim it at once', async () => {
    const { store, userId } = setUp();
    const claims = Array.from({ length: 10 }, (_, n) => store.claim(userId, 'key', request(n + 1)));
    const answers = await Promise.all(claims);
    expect(new Set(answers.map(({ jobId }) => jobId)).size).toBe(1);
    expect(await store.get(userId, 'key')).toEqual(answers[0]);
  });

  test("is the user's own, and another key is another", async () => {
    const { store, userId } = setUp();
    const other = freshUser();
    await store.claim(userId, 'key', request(1));
    expect(await store.claim(other, 'key', request(2))).toEqual(request(2));
    expect(await store.claim(userId, 'other', request(3))).toEqual(request(3));
  });

  test('is free again after 30 days', async () => {
    const { clock, store, userId } = setUp();
    await store.claim(userId, 'key', request(1));
    clock.advance(30 * DAY_MS - 1000);
    expect(await store.get(userId, 'key')).toEqual(request(1));
    clock.advance(1000);
    expect(await store.get(userId, 'key')).toBeUndefined();
    expect(await store.claim(userId, 'key', request(2))).toEqual(request(2));
  });
});

describe('in the table', () => {
  const clock = createFakeClock();
  const Key = (userId: string) => ({ pk: `USER#${userId}`, sk: 'IDEMPOTENCY#key' });

  test('it is an item of its user that expires with the tasks', async () => {
    const { client, tableName: TableName } = dynalite.table;
    const userId = freshUser();
    await createIdempotencyStore({ table: dynalite.table, clock }).claim(userId, 'key', request(1));
    const { Item } = await client.send(new GetCommand({ TableName, Key: Key(userId) }));
    const expiresAt = Math.floor(clock.now() / 1000) + 30 * 86_400;
    expect(Item).toEqual({ ...Key(userId), ...request(1), expiresAt });
  });

  test('an item of other types is named', async () => {
    const { client, tableName: TableName } = dynalite.table;
    const userId = freshUser();
    await client.send(new PutCommand({ TableName, Item: { ...Key(userId), jobId: 7 } }));
    const store = createIdempotencyStore({ table: dynalite.table, clock });
    await expect(store.get(userId, 'key')).rejects.toMatchObject({
      code: 'row.invalid',
      message: expect.stringContaining('jobId'),
    });
  });
});
