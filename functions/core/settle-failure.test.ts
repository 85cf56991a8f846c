import { expect, test } from '@jest/globals';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../adapters/eventbridge/event-publisher.fake.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import { requeuedAt } from './requeued-at.ts';
import { settleFailure } from './settle-failure.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeAssignedJob, makeJob, START } from './test-support/fixtures.ts';

const setUp = async () => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const deps = { ...table, publisher, pusher, clock, random: () => 0.5, logger: createSilentLogger() };
  await table.jobs.create(makeAssignedJob({ connections: ['c1'] }));
  const job = async () => (await table.jobs.get(JOB_ID))!;
  return { table, publisher, pusher, clock, deps, job };
};
const vanished = { reason: 'vanished', message: 'gone\n  for\tgood' } as const;

test('a retry waits under one entry, and its followers and the bus learn how long', async () => {
  const { deps, job, table, publisher, pusher, clock } = await setUp();
  await settleFailure(await job(), vanished, deps);
  expect(await table.allQueue()).toEqual([
    { jobId: JOB_ID, priority: 5, queuedAt: (await job()).queuedAt, notBefore: clock.iso(11_000) },
  ]);
  expect(pusher.sent).toMatchObject([
    {
      message: {
        type: 'job_retrying',
        nextAttempt: 2,
        delaySeconds: 11,
        message: 'gone for good',
        sequence: 3,
      },
    },
  ]);
  expect(publisher.events).toMatchObject([{ detailType: 'Task Retrying', detail: { nextAttempt: 2 } }]);
});

test('settling what is settled tells it again under the same id, and never touches the queue', async () => {
  const { deps, job, table, publisher, pusher } = await setUp();
  await settleFailure(await job(), vanished, deps);
  await settleFailure(await job(), vanished, deps);
  expect(table.faults.calls.filter((call) => call.startsWith('queue.'))).toEqual(['queue.put']);
  expect(new Set(publisher.events.map(({ detail }) => detail.eventId)).size).toBe(1);
  expect(new Set(pusher.sent.map(({ message }) => 'sequence' in message && message.sequence)).size).toBe(1);
  expect(await job()).toMatchObject({ retryCount: 1, revision: 3 });
});

test.each([
  ['now', {}, START, START],
  [
    'later than it was queued, though clocks differ',
    { queuedAt: START },
    '2026-11-22T09:59:59.000Z',
    '2026-11-22T10:00:00.001Z',
  ],
  [
    'not before it was assigned, though clocks differ',
    { assignedAt: '2026-11-22T10:00:05.000Z' },
    START,
    '2026-11-22T10:00:05.000Z',
  ],
])('a job is queued again %s', (_what, job, now, expected) => {
  const base = makeJob({ queuedAt: '2026-11-22T09:00:00.000Z', ...job });
  expect(requeuedAt(base, Date.parse(now))).toBe(expected);
});
