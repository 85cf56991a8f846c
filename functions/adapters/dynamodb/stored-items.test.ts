/** What only the table can say: that items fit, and that none stays for ever. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { JOB_ID, makeJob, makeRegistration } from '../../core/test-support/fixtures.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { storedOutput } from '../test-support/stored-output.ts';
import { createConnectionStore } from './connection-store.ts';
import { createJobStore } from './job-store.ts';
import { createOutputStore } from './output-store.ts';
import { createQueueStore } from './queue-store.ts';
import { createTimelineStore } from './timeline-store.ts';
import { createWorkerStore } from './worker-store.ts';

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

test('every item expires: a connection after a day, a worker after a week, a job and what is its own after thirty', async () => {
  const clock = createFakeClock();
  const options = { table: running.table, clock };
  await createConnectionStore(options).create('a', 'user-1');
  await createWorkerStore(options).register(makeRegistration());
  await createJobStore(options).create(makeJob());
  await createQueueStore(options).put({
    jobId: JOB_ID,
    priority: 5,
    queuedAt: clock.iso(),
    notBefore: null,
  });
  await createOutputStore(options).put(JOB_ID, 1, { outputs: [storedOutput(0)], missingOutputs: [] });
  await createTimelineStore(options).append(JOB_ID, 1, 2, []);
  const days = (await scan()).map(({ expiresAt }) => (Number(expiresAt) - clock.now() / 1000) / 86_400);
  expect(days.sort((a, b) => a - b)).toEqual([1, 7, 30, 30, 30, 30]);
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
