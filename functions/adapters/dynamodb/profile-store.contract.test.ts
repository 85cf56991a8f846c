/** What workflows take: the same on the table and in memory. */
import { describe, expect, test } from '@jest/globals';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { EMPTY_PROFILE, type Profile } from '../../core/estimate/profile.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { KINDS, useStores } from '../test-support/contract-stores.ts';
import { createFakeProfileStore } from './profile-store.fake.ts';
import { createProfileStore } from './profile-store.ts';

const { table, freshId } = useStores();

const profile = (runs: number, more: Partial<Profile> = {}): Profile => ({
  ...EMPTY_PROFILE,
  runs,
  lastJobId: `job-${runs}`,
  warm: new Map([['__proto__', { mean: 12.5, deviation: 1, count: runs }]]),
  cold: new Map([['3', { mean: 0.001, deviation: 0, count: 1 }]]),
  wall: { mean: 1.02, deviation: 0.01, count: runs },
  ...more,
});

describe.each(KINDS)('%s', (kind) => {
  const setUp = () => {
    const clock = createFakeClock();
    return kind === 'in memory' ? createFakeProfileStore() : createProfileStore({ table: table(), clock });
  };

  test('a profile is read as it was put, of its workflow and kind alone', async () => {
    const store = setUp();
    const key = { of: freshId(), kind: 'gpu' };
    expect(await store.get(key)).toBeUndefined();
    expect(await store.put(key, profile(1), 0)).toBe(true);
    expect(await store.get(key)).toEqual(profile(1));
    expect(await store.get({ ...key, kind: 'cpu' })).toBeUndefined();
    const other = { mean: 5, deviation: 1, count: 2 };
    expect(await store.put(key, profile(2, { other }), 1)).toBe(true);
    expect(await store.get(key)).toEqual(profile(2, { other }));
  });

  test('of two that were learnt from the same one, the first is kept', async () => {
    const store = setUp();
    const key = { of: freshId(), kind: 'gpu' };
    expect(await store.put(key, profile(1), 0)).toBe(true);
    expect(await store.put(key, profile(1, { lastJobId: 'late' }), 0)).toBe(false);
    expect(await store.put(key, profile(2), 1)).toBe(true);
    expect(await store.put(key, profile(2, { lastJobId: 'late' }), 1)).toBe(false);
    expect(await store.get(key)).toEqual(profile(2));
    expect(await store.put({ ...key, kind: 'new' }, profile(6), 5)).toBe(false);
  });
});

test('an item is below 2 KB, expires after thirty days, and is as good as none when it does not read', async () => {
  const clock = createFakeClock();
  const logger = createSilentLogger();
  const { client, tableName: TableName } = table();
  const store = createProfileStore({ table: table(), clock, logger });
  const key = { of: freshId(), kind: 'gpu' };
  await store.put(key, profile(1), 0);
  const Key = { pk: `PROFILE#${key.of}`, sk: 'gpu' };
  const { Item } = await client.send(new GetCommand({ TableName, Key }));
  expect(JSON.stringify(Item).length).toBeLessThan(2048);
  expect(Number(Item?.['expiresAt']) - clock.now() / 1000).toBe(30 * 86_400);
  const broken: Profile = { ...profile(2), warm: new Map([['1', { mean: -1, deviation: 0, count: 0 }]]) };
  await store.put(key, broken, 1);
  expect(await store.get(key)).toBeUndefined();
  expect(logger.lines.map(({ code }) => code)).toEqual(['row.invalid']);
});
