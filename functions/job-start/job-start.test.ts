import { describe, expect, test } from '@jest/globals';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeAssignedJob, makeEvent } from '../core/test-support/fixtures.ts';
import { createJobStartHandler } from './job-start.ts';

const AT = '2026-11-22T10:00:05.000Z';

const start = async (job: Partial<Job> = {}) => {
  const table = createFakeTable(createFakeClock());
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  await table.jobs.create(makeAssignedJob({ connections: ['connection-1'], ...job }));
  const handle = createJobStartHandler({ ...table, pusher, logger });
  return { handle, pusher, logger, job: async () => (await table.jobs.get(JOB_ID))! };
};
const startedWith = (totalNodes: number, cachedNodes: number) =>
  makeEvent('Job Started', { sequence: 1, timestamp: AT, totalNodes, cachedNodes });

test.each([
  [7, 2, 'Started: 7 nodes, 2 cached'],
  [1, 0, 'Started: 1 node'],
  [0, 0, 'Started'],
])('the job runs, and its followers read so: %d nodes, %d of them cached', async (total, cached, message) => {
  const { handle, pusher, job } = await start();
  await handle(startedWith(total, cached));
  expect(await job()).toMatchObject({ status: 'running', startedAt: AT, eventSequence: 1 });
  expect(pusher.sent).toMatchObject([
    {
      connectionId: 'connection-1',
      message: { type: 'job_started', sequence: 3, message, totalNodes: total },
    },
  ]);
});

test('a second delivery changes nothing and is not told', async () => {
  const { handle, pusher, logger, job } = await start();
  await handle(startedWith(7, 0));
  const before = await job();
  await handle(startedWith(7, 0));
  expect(await job()).toEqual(before);
  expect(pusher.sent).toHaveLength(1);
  expect(logger.lines.map(({ code }) => code)).toEqual(['event.stale']);
});

test('after the progress that it should have preceded it still says when the job started', async () => {
  const { handle, pusher, job } = await start({ status: 'running', eventSequence: 4 });
  await handle(startedWith(7, 0));
  expect(await job()).toMatchObject({ status: 'running', startedAt: AT, eventSequence: 4, revision: 3 });
  expect(pusher.sent.map(({ message }) => message.type)).toEqual(['job_started']);
  await handle(startedWith(7, 0));
  expect((await job()).revision).toBe(3);
});

test('a job that has ended does not start', async () => {
  const { handle, pusher, job } = await start({ status: 'cancelled' });
  await handle(startedWith(7, 0));
  expect(await job()).toMatchObject({ status: 'cancelled', startedAt: null });
  expect(pusher.sent).toEqual([]);
});

describe('the sweep looks after it', () => {
  const dueAfter = async (job: Partial<Job>) => {
    const started = await start(job);
    await started.handle(startedWith(7, 0));
    return (await started.job()).dueAt;
  };
  const AFTER_A_MINUTE = '2026-11-22T10:01:00.000Z';

  test('when its few seconds are over', async () => {
    expect(await dueAfter({ timeoutSeconds: 5, dueAt: AFTER_A_MINUTE })).toBe('2026-11-22T10:00:10.000Z');
  });

  test('that started after its progress, as well', async () => {
    const late = { status: 'running', eventSequence: 4 } as const;
    expect(await dueAfter({ ...late, timeoutSeconds: 5, dueAt: AFTER_A_MINUTE })).toBe(
      '2026-11-22T10:00:10.000Z',
    );
  });

  test('no later than it would have anyhow: someone may be waiting for its cancellation', async () => {
    expect(await dueAfter({ timeoutSeconds: 3600, dueAt: AFTER_A_MINUTE })).toBe(AFTER_A_MINUTE);
  });
});
