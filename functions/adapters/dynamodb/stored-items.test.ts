/** What only the table can say: that items fit, and that none stays for ever. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { JOB_ID, makeJob, makeRegistration } from '../../core/test-support/fixtures.ts';
import { storesOf } from '../test-support/contract-stores.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { storedOutput } from '../test-support/stored-output.ts';
import { createOutputStore } from './output-store.ts';

let running: TestTable;
beforeAll(async () => {
  running = await startTable();
});
afterAll(() => running.stop());

const scan = async (): Promise<Record<string, unknown>[]> => {
  const { client, tableName: TableName } = running.table;
  const { Items = [] } = await client.send(new ScanCommand({ TableName }));
  return Items;
};

test('every item expires but the settings: a connection after a day, a worker after a week, the rest after thirty', async () => {
  const clock = createFakeClock();
  const stores = storesOf(running.table, clock);
  const entry = { jobId: JOB_ID, userId: 'queued', priority: 5, queuedAt: clock.iso(), notBefore: null };
  await stores.connections.create('a', 'user-1');
  await stores.workers.register(makeRegistration({ tags: [] }));
  await stores.jobs.create(makeJob());
  await stores.queue.put({ ...entry, needs: { classes: [], models: [], tags: [] } });
  await stores.outputs.put(JOB_ID, 1, { outputs: [storedOutput(0)], missingOutputs: [] });
  await stores.timeline.append(JOB_ID, 1, 2, []);
  await stores.shares.setPaused('paused', true);
  await stores.shares.setAllPaused(true);
  const items = await scan();
  const forGood = items.filter(({ expiresAt }) => expiresAt === undefined).map(({ sk }) => sk);
  expect(forGood).toEqual(['#settings']);
  const days = items
    .filter(({ expiresAt }) => expiresAt !== undefined)
    .map(({ expiresAt }) => (Number(expiresAt) - clock.now() / 1000) / 86_400);
  expect(days.sort((a, b) => a - b)).toEqual([1, 7, 30, 30, 30, 30, 30, 30]);
});

test('each use of a share keeps it for another thirty days', async () => {
  const clock = createFakeClock();
  const { shares, queue } = storesOf(running.table, clock);
  const userId = 'user-of-share';
  const left = async (): Promise<number> => {
    const row = (await scan()).find(({ pk, sk }) => pk === 'SHARES' && sk === userId);
    return (Number(row?.['expiresAt']) - clock.now() / 1000) / 86_400;
  };
  const entry = { jobId: JOB_ID, userId, priority: 5, queuedAt: clock.iso(), notBefore: null };
  const charge = { jobId: JOB_ID, attempt: 1, chargedMs: 10, startMs: 0, cap: 1 };
  const uses = [
    () => queue.put({ ...entry, needs: { classes: [], models: [], tags: [] } }),
    async () => shares.claim((await shares.get(userId))!, charge),
    () => shares.release(userId, JOB_ID, 1, 20),
    async () => shares.settleEmpty(userId, (await shares.get(userId))!.waitingStamp!),
  ];
  for (const use of uses) {
    clock.advance(86_400_000);
    await use();
    expect(await left()).toBe(30);
  }
});

test('outputs whose names are as long as the contract allows are stored in items of at most 200 KB', async () => {
  const outputs = Array.from({ length: 60 }, (_, index) =>
    storedOutput(index, {
      nodeId: '界'.repeat(512),
      outputKey: '界'.repeat(256),
      filename: '界'.repeat(1024),
    }),
  );
  const store = createOutputStore({ table: running.table, clock: createFakeClock() });
  await store.put('long-names', 1, { outputs, missingOutputs: [] });
  expect((await store.get('long-names', 1)).outputs).toEqual(outputs);
  const sizes = (await scan())
    .filter(({ pk }) => pk === 'JOB#long-names')
    .map((item) => Buffer.byteLength(JSON.stringify(item)));
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.max(...sizes)).toBeLessThan(201 * 1024);
});
