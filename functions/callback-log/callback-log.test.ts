import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { callbackListSchema, callbackSecretSchema } from '../../shared-types/index.ts';
import { createFakeCallbackStore } from '../adapters/dynamodb/callback-store.fake.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeJob } from '../core/test-support/fixtures.ts';
import { deliverDue, onTaskEnded } from '../core/callbacks/deliver-callback.ts';
import { createCallbackLogHandler } from './callback-log.ts';

const setUp = async (overrides: Partial<Job> = {}) => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  await table.jobs.create(
    makeJob({ status: 'completed', attempt: 1, callbackUrl: 'https://hooks.example/', ...overrides }),
  );
  const statuses: number[] = [];
  let secrets = 0;
  const deps = {
    jobs: table.jobs,
    outputs: table.outputs,
    callbacks: createFakeCallbackStore(),
    sender: { post: async () => ({ kind: 'answered' as const, statusCode: statuses.shift() ?? 204 }) },
    clock,
    random: () => 0,
    secretBytes: () => new Uint8Array(32).fill((secrets += 1)),
    logger: createSilentLogger(),
  };
  const handler = createCallbackLogHandler(deps);
  const call = async (routeKey: string, { user = 'user-1', id = JOB_ID } = {}) => {
    const { statusCode, body } = await handler({
      routeKey,
      pathParameters: { id },
      requestContext: {
        authorizer: { lambda: { userId: user, scopes: 'tasks:read tasks:write keys:write' } },
      },
    } as unknown as APIGatewayProxyEventV2);
    return { statusCode, body: JSON.parse(body ?? 'null') as unknown };
  };
  return { call, clock, statuses, deps };
};

const LIST = 'GET /api/v1/tasks/{id}/callbacks';
const REDELIVER = 'POST /api/v1/tasks/{id}/callbacks/redeliver';
const SECRET = 'GET /api/v1/callback-secret';
const ROTATE = 'POST /api/v1/callback-secret/rotate';

test('the log shows each attempt, from the event on and by the minute', async () => {
  const { call, clock, statuses, deps } = await setUp();
  statuses.push(500);
  await onTaskEnded(JOB_ID, deps);
  clock.advance(60_000);
  await deliverDue(deps);
  const { statusCode, body } = await call(LIST);
  expect(statusCode).toBe(200);
  expect(callbackListSchema.parse(body).deliveries).toMatchObject([
    {
      event: 'task.completed',
      url: 'https://hooks.example/',
      status: 'delivered',
      attempts: [
        { status_code: 500, error: 'answered 500' },
        { status_code: 204, error: '' },
      ],
      next_attempt_at: null,
    },
  ]);
});

test('a redelivery is made at once, and answered with the log', async () => {
  const { call } = await setUp({ status: 'failed' });
  const { statusCode, body } = await call(REDELIVER);
  expect(statusCode).toBe(202);
  expect(callbackListSchema.parse(body).deliveries).toMatchObject([
    { event: 'task.failed', status: 'delivered' },
  ]);
});

test.each([
  [{ callbackUrl: null }, /no callback_url/],
  [{ status: 'running' }, /is running/],
] as const)('there is nothing to redeliver: %j', async (job, message) => {
  const { call } = await setUp(job);
  expect(await call(REDELIVER)).toMatchObject({
    statusCode: 409,
    body: { error: expect.stringMatching(message) },
  });
});

describe('the task of another user, and what is none', () => {
  test.each([
    [LIST, { user: 'user-2' }],
    [REDELIVER, { user: 'user-2' }],
    [LIST, { id: '00000000-0000-4000-8000-00000000dead' }],
    [LIST, { id: '../../etc/passwd' }],
    [REDELIVER, { id: '__proto__' }],
  ])('%s %j is 404', async (route, who) => {
    const { call } = await setUp();
    expect(await call(route, who)).toMatchObject({
      statusCode: 404,
      body: { error: expect.stringContaining('no such task') },
    });
  });
});

test('a secret is a user’s own, stays, and changes when it is rotated', async () => {
  const { call } = await setUp();
  const secretOf = async (route: string, user: string) =>
    callbackSecretSchema.parse((await call(route, { user })).body).secret;
  const first = await secretOf(SECRET, 'user-1');
  expect(await secretOf(SECRET, 'user-1')).toBe(first);
  expect(await secretOf(SECRET, 'user-2')).not.toBe(first);
  const rotated = await secretOf(ROTATE, 'user-1');
  expect(rotated).not.toBe(first);
  expect(await secretOf(SECRET, 'user-1')).toBe(rotated);
});
