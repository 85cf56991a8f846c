import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../adapters/eventbridge/event-publisher.fake.ts';
import { createFakeWorkflowStore } from '../adapters/s3/workflow-store.fake.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createFaults } from '../core/test-support/faults.ts';
import { createCountingIds, createSilentLogger, START, uuidOf } from '../core/test-support/fixtures.ts';
import { createSubmitTaskHandler } from './submit-task.ts';

const PAYLOAD = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615}}}';
const BODY = `{"workflow_id":"text_to_image_v1","priority":7,"payload":${PAYLOAD}}`;

const setUp = () => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const workflows = createFakeWorkflowStore();
  const publisher = createFakePublisher();
  const logger = createSilentLogger();
  const handler = createSubmitTaskHandler({
    ...table,
    workflows: faults.wrap('workflows', workflows),
    publisher,
    clock,
    ids: createCountingIds(),
    logger,
  });
  const post = (body: string) =>
    handler({
      requestContext: { authorizer: { jwt: { claims: { sub: 'user-1' } } } },
      body,
    } as unknown as APIGatewayProxyEventV2);
  return { table, workflows, publisher, logger, post };
};

test('an accepted task is durable, queued, and told to the dispatcher', async () => {
  const { table, workflows, publisher, post } = setUp();
  const { statusCode, body } = await post(BODY);
  expect(statusCode).toBe(201);
  expect(JSON.parse(body ?? '')).toEqual({
    id: uuidOf(1),
    workflow_id: 'text_to_image_v1',
    status: 'pending',
    created_at: START,
  });
  expect(workflows.workflows.get(uuidOf(1))).toBe(PAYLOAD);
  expect(table.allJobs()).toMatchObject([
    { jobId: uuidOf(1), userId: 'user-1', status: 'pending', attempt: 0, revision: 1, priority: 7 },
  ]);
  expect(await table.allQueue()).toEqual([
    { jobId: uuidOf(1), priority: 7, queuedAt: START, notBefore: null },
  ]);
  expect(publisher.events).toMatchObject([{ detailType: 'Task Submitted', detail: { jobId: uuidOf(1) } }]);
});

test('a bus that does not answer costs no task: the sweep finds it', async () => {
  const { table, publisher, logger, post } = setUp();
  publisher.failNext(1);
  expect((await post(BODY)).statusCode).toBe(201);
  expect(table.allJobs()).toHaveLength(1);
  expect(await table.allQueue()).toHaveLength(1);
  expect(logger.lines).toMatchObject([{ level: 'warn', code: 'task.wake-up-failed' }]);
});

describe('a step that fails is a 500 that may be repeated, and leaves no job that nothing would find', () => {
  test.each([
    ['workflows', 'put', 'before'],
    ['workflows', 'put', 'after'],
    ['queue', 'put', 'before'],
    ['queue', 'put', 'after'],
    ['jobs', 'create', 'before'],
    ['jobs', 'create', 'after'],
  ] as const)('%s.%s, %s its effect', async (port, method, time) => {
    const { table, workflows, post } = setUp();
    table.fail(port, method, 1, time);
    const answer = await post(BODY);
    expect(answer).toMatchObject({ statusCode: 500, body: expect.not.stringContaining('fault') });
    for (const { jobId, queuedAt } of table.allJobs()) {
      expect(workflows.workflows.get(jobId)).toBe(PAYLOAD);
      expect(await table.allQueue()).toMatchObject([{ jobId, queuedAt }]);
    }
    expect((await post(BODY)).statusCode).toBe(201);
  });
});

test.each([
  ['no JSON', '{', 400],
  ['no payload', '{"workflow_id":"w"}', 400],
  ['too large', `{"pad":"${'x'.repeat(4 * 1024 * 1024)}"}`, 413],
])('what cannot run is refused in one line and stored nowhere: %s', async (_what, body, status) => {
  const { table, workflows, publisher, post } = setUp();
  const answer = await post(body);
  expect(answer.statusCode).toBe(status);
  expect(Object.keys(JSON.parse(answer.body ?? '') as object)).toEqual(['error']);
  expect(table.allJobs()).toEqual([]);
  expect(workflows.workflows.size).toBe(0);
  expect(publisher.events).toEqual([]);
});
