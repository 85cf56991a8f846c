import { expect, test } from '@jest/globals';
import { createFakeCallbackStore } from '../adapters/dynamodb/callback-store.fake.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeEvent, makeJob } from '../core/test-support/fixtures.ts';
import { CALLBACK_EVENTS, createDeliverCallbacksHandler } from './deliver-callbacks.ts';

const SCHEDULE = { source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };

const setUp = async (status: 'completed' | 'failed' | 'cancelled') => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  await table.jobs.create(makeJob({ status, attempt: 1, callbackUrl: 'https://hooks.example/' }));
  const sent: string[] = [];
  const statuses: number[] = [];
  const logger = createSilentLogger();
  const handler = createDeliverCallbacksHandler({
    jobs: table.jobs,
    outputs: table.outputs,
    callbacks: createFakeCallbackStore(),
    sender: {
      post: async (_url, _headers, body) => {
        sent.push((JSON.parse(body) as { type: string }).type);
        return { kind: 'answered', statusCode: statuses.shift() ?? 200 };
      },
    },
    clock,
    random: () => 0,
    secretBytes: () => new Uint8Array(32),
    logger,
  });
  return { handler, clock, sent, statuses, logger };
};

test.each(CALLBACK_EVENTS)('%s is told at once, and once', async (detailType) => {
  const status =
    detailType === 'Task Completed' ? 'completed' : detailType === 'Task Failed' ? 'failed' : 'cancelled';
  const { handler, sent } = await setUp(status);
  const event = makeEvent(detailType, { jobId: JOB_ID });
  await handler(event);
  await handler(event);
  await handler(SCHEDULE);
  expect(sent).toEqual([`task.${status}`]);
});

test('what was not taken is told again by the minute', async () => {
  const { handler, sent, statuses, clock } = await setUp('completed');
  statuses.push(503);
  await handler(makeEvent('Task Completed', { jobId: JOB_ID }));
  await handler(SCHEDULE);
  expect(sent).toHaveLength(1);
  clock.advance(60_000);
  await handler(SCHEDULE);
  expect(sent).toHaveLength(2);
});

test('a forged end is poison: nobody is told', async () => {
  const { handler, sent, logger } = await setUp('completed');
  await handler({ ...makeEvent('Task Completed', { jobId: JOB_ID }), source: 'comfyui.monitor.pod-1' });
  expect(sent).toEqual([]);
  expect(logger.lines).toContainEqual(expect.objectContaining({ code: 'event.poison' }));
});
