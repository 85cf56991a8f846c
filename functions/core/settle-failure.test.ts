import { describe, expect, test } from '@jest/globals';
import type { FailureReason } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../adapters/eventbridge/event-publisher.fake.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import type { EndedAttempt, Job } from './job.ts';
import { requeuedAt } from './requeued-at.ts';
import { settleFailure } from './settle-failure.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import {
  createSilentLogger,
  JOB_ID,
  makeAssignedJob,
  makeJob,
  NO_NEEDS,
  START,
} from './test-support/fixtures.ts';

const setUp = async (overrides: Partial<Job> = {}) => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const deps = { ...table, publisher, pusher, clock, random: () => 0.5, logger: createSilentLogger() };
  await table.jobs.create(makeAssignedJob({ connections: ['c1'], ...overrides }));
  const job = async () => (await table.jobs.get(JOB_ID))!;
  return { table, publisher, pusher, clock, deps, job };
};
const vanished = { reason: 'vanished', message: 'gone\n  for\tgood' } as const;

test('a retry waits under one entry, and its followers and the bus learn how long', async () => {
  const { deps, job, table, publisher, pusher, clock } = await setUp();
  await settleFailure(await job(), vanished, deps);
  expect(await table.allQueue()).toEqual([
    {
      jobId: JOB_ID,
      userId: 'user-1',
      priority: 5,
      queuedAt: (await job()).queuedAt,
      notBefore: clock.iso(11_000),
      needs: NO_NEEDS,
    },
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

const ended = (attempt: number, reason: FailureReason, startedAt: string | null = START): EndedAttempt => ({
  attempt,
  workerId: `pod-${attempt}`,
  promptId: null,
  assignedAt: START,
  startedAt,
  endedAt: START,
  outcome: 'failed',
  failure: { reason, message: 'x' },
});

const secondRun = (startedAt: string | null) => ({ attempt: 2, retryCount: 1, startedAt });

test('an attempt that ended is kept, whatever becomes of the job', async () => {
  const retried = await setUp();
  await settleFailure(await retried.job(), vanished, retried.deps);
  await settleFailure(await retried.job(), vanished, retried.deps);
  const attempt = { attempt: 1, workerId: 'pod-1', assignedAt: START, outcome: 'failed' };
  expect((await retried.job()).attempts).toMatchObject([{ ...attempt, failure: { reason: 'vanished' } }]);
  expect(await retried.job()).toMatchObject({ status: 'pending', dueAt: null, endingSince: null });
  const cancelled = await setUp({ cancelRequestedAt: START });
  await settleFailure(await cancelled.job(), vanished, cancelled.deps);
  expect((await cancelled.job()).attempts).toMatchObject([
    { ...attempt, outcome: 'cancelled', failure: null },
  ]);
  expect(await cancelled.job()).toMatchObject({ status: 'cancelled', dueAt: null });
});

describe('a task that takes its workers down', () => {
  test.each([
    ['comfyRestarted', 'workerLost'],
    ['workerLost', 'workerLost'],
  ] as const)('is not tried a third time: %s, then %s', async (first, second) => {
    const { deps, job, publisher } = await setUp({ ...secondRun(START), attempts: [ended(1, first)] });
    await settleFailure(await job(), { reason: second, message: 'gone' }, deps);
    expect(await job()).toMatchObject({
      status: 'failed',
      failure: { reason: second, message: expect.stringMatching(/not tried again: gone/) },
    });
    expect(publisher.events.map(({ detailType }) => detailType)).toEqual(['Task Failed']);
  });

  test.each([
    ['its first worker', [], 'workerLost'],
    ['a worker after an attempt that ended otherwise', [ended(1, 'vanished')], 'comfyRestarted'],
    ['none', [ended(1, 'workerLost')], 'vanished'],
    ['one, and only waited on the other before', [ended(1, 'comfyRestarted', null)], 'comfyRestarted'],
  ] as const)('is tried again while it took down %s', async (_what, attempts, reason) => {
    const { deps, job } = await setUp({ ...secondRun(START), attempts });
    await settleFailure(await job(), { reason, message: 'gone' }, deps);
    expect((await job()).status).toBe('pending');
  });
});

test('a task that waits behind the one that takes the workers down is tried again', async () => {
  const { deps, job } = await setUp({ ...secondRun(null), attempts: [ended(1, 'comfyRestarted')] });
  await settleFailure(await job(), { reason: 'comfyRestarted', message: 'gone' }, deps);
  expect((await job()).status).toBe('pending');
});

describe('an attempt that was told to end because of its timeout', () => {
  test.each(['interrupted', 'vanished'] as const)('and was %s has timed out', async (reason) => {
    const { deps, job } = await setUp({ endingReason: 'timeout', endingSince: START, timeoutSeconds: 90 });
    await settleFailure(await job(), { reason, message: 'x' }, deps);
    expect(await job()).toMatchObject({
      status: 'failed',
      failure: { reason: 'timeout', message: 'the attempt took longer than 90 seconds' },
    });
  });

  test('and failed by itself keeps its reason', async () => {
    const { deps, job } = await setUp({ endingReason: 'timeout', endingSince: START });
    await settleFailure(await job(), { reason: 'nodeError', message: 'no' }, deps);
    expect((await job()).failure?.reason).toBe('nodeError');
  });

  test('is cancelled when somebody asked for that as well', async () => {
    const { deps, job } = await setUp({
      endingReason: 'timeout',
      endingSince: START,
      cancelRequestedAt: START,
    });
    await settleFailure(await job(), { reason: 'interrupted', message: 'x' }, deps);
    expect((await job()).status).toBe('cancelled');
  });
});

test('a cancellation that comes between the reading and the retry does not let the job wait again', async () => {
  const { deps, job, table, publisher } = await setUp();
  const read = await job();
  await table.jobs.update({
    guard: { jobId: JOB_ID, statuses: ['assigned'] },
    patch: { cancelRequestedAt: START },
  });
  await settleFailure(read, vanished, deps);
  expect((await job()).status).toBe('cancelled');
  expect(await table.allQueue()).toEqual([]);
  expect(publisher.events.map(({ detailType }) => detailType)).toEqual(['Task Cancelled']);
});
