import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { InstanceStore } from '../../core/scaling/ports.ts';
import { makeInstance } from '../../core/scaling/test-support/fixtures.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { KINDS } from '../test-support/contract-stores.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeInstanceStore } from './instance-store.fake.ts';
import { createInstanceStore } from './instance-store.ts';

let running: TestTable | undefined;
beforeAll(async () => {
  running = await startTable();
});
afterAll(() => running?.stop());
const table = () => running!.table;

/** All of one kind on DynamoDB share the file's table: each test has a pool of its own. */
let serial = 0;
const setUp = (kind: string) => {
  serial += 1;
  const pool = `pool-${serial}`;
  const clock = createFakeClock();
  const logger = createSilentLogger();
  const store: InstanceStore =
    kind === 'in memory'
      ? createFakeInstanceStore({ clock })
      : createInstanceStore({ table: table(), clock, logger });
  const list = async () => (await store.list()).filter((each) => each.pool === pool);
  return { pool, clock, logger, store, list };
};

describe.each(KINDS)('instances %s', (kind) => {
  test('a row is created once and read back whole', async () => {
    const { store, pool, list } = setUp(kind);
    const instance = makeInstance({ pool, idleSince: '2026-11-22T10:00:00.000Z', endReason: 'idle' });
    expect(await store.create(instance)).toBe(true);
    expect(await store.create({ ...instance, image: 'other' })).toBe(false);
    expect(await list()).toEqual([instance]);
  });

  test('a change applies only from the conditions that it names, and to a row that is there', async () => {
    const { store, pool, list } = setUp(kind);
    const instance = makeInstance({ pool, condition: 'launching', instanceId: null });
    await store.create(instance);
    expect(await store.change(instance, { condition: 'ended' }, ['live', 'ending'])).toBe(false);
    expect(await store.change({ pool, workerId: 'nobody' }, { condition: 'live' }, ['launching'])).toBe(
      false,
    );
    expect(await store.change(instance, {}, ['launching'])).toBe(false);
    expect(await list()).toEqual([instance]);
    const patch = { condition: 'live', instanceId: 'i-1', address: null } as const;
    expect(await store.change(instance, patch, ['launching'])).toBe(true);
    expect(await list()).toEqual([{ ...instance, ...patch }]);
  });

  test('only a launch that made nothing is forgotten', async () => {
    const { store, pool, list } = setUp(kind);
    const live = makeInstance({ pool, workerId: 'a', condition: 'live' });
    const launching = makeInstance({ pool, workerId: 'b', condition: 'launching' });
    await store.create(live);
    await store.create(launching);
    expect(await store.discard(live)).toBe(false);
    expect(await store.discard(launching)).toBe(true);
    expect(await store.discard(launching)).toBe(false);
    expect(await list()).toEqual([live]);
  });

  test('what ended is listed for three days', async () => {
    const { store, pool, list, clock } = setUp(kind);
    const instance = makeInstance({ pool });
    await store.create(instance);
    await store.change(instance, { condition: 'ended', endedAt: clock.iso(), endReason: 'idle' }, ['live']);
    clock.advance(3 * 86_400_000 - 1000);
    expect(await list()).toHaveLength(1);
    clock.advance(2000);
    expect(await list()).toEqual([]);
  });

  test('of two passes that read the same revision one may act', async () => {
    const { store, pool } = setUp(kind);
    expect(await store.pool(pool)).toEqual({ revision: 0, holds: {} });
    expect(await Promise.all([store.claim(pool, 0), store.claim(pool, 0)])).toEqual(
      expect.arrayContaining([true, false]),
    );
    expect((await store.pool(pool)).revision).toBe(1);
    expect(await store.claim(pool, 0)).toBe(false);
    expect(await store.claim(pool, 1)).toBe(true);
  });

  test('a hold is kept beside the revision, before the first pass too, and is no instance', async () => {
    const { store, pool, list } = setUp(kind);
    const hold = { until: '2026-11-22T10:10:00.000Z', reason: 'rateLimited' };
    await store.hold(pool, 'novita', hold);
    expect(await store.pool(pool)).toEqual({ revision: 0, holds: { novita: hold } });
    expect(await store.claim(pool, 0)).toBe(true);
    await store.hold(pool, 'runpod', hold);
    expect(await store.pool(pool)).toEqual({ revision: 1, holds: { novita: hold, runpod: hold } });
    expect(await list()).toEqual([]);
  });
});

test('a row that does not read is logged and left out', async () => {
  const { store, pool, list, logger } = setUp('on DynamoDB');
  await store.create(makeInstance({ pool }));
  const Item = { pk: 'INSTANCES', sk: `${pool}#bad`, ...makeInstance({ pool }), leaseUntil: 'never' };
  await table().client.send(new PutCommand({ TableName: table().tableName, Item }));
  expect(await list()).toHaveLength(1);
  expect(logger.lines.map(({ code }) => code)).toContain('row.invalid');
});
