import { describe, expect, test } from '@jest/globals';
import { queueStateSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { ApiCall } from '../adapters/test-support/api-event.ts';
import { entryOf } from '../core/queue-entry.ts';
import { JOB_ID, makeJob } from '../core/test-support/fixtures.ts';
import { createControlQueueHandler } from './control-queue.ts';

const MINE = ['tasks:read', 'tasks:write'] as const;
const ADMIN = [...MINE, 'admin'] as const;

const setUp = () => {
  const world = createApiWorld();
  const call = createCaller(createControlQueueHandler(world.ports));
  const pause = (body = '', rest: ApiCall = {}) => call('pauseQueue', { body, scopes: MINE, ...rest });
  const resume = (body = '', rest: ApiCall = {}) => call('resumeQueue', { body, scopes: MINE, ...rest });
  const state = async (userId = 'user-1') =>
    queueStateSchema.parse((await call('getQueue', { userId })).json);
  return { ...world, pause, resume, state };
};

const RUNNING = { paused: false, all_paused: false };

test('a queue runs until it is paused, and runs again once it is resumed', async () => {
  const { pause, resume, state } = setUp();
  expect(await state()).toEqual(RUNNING);
  expect(await pause()).toMatchObject({ status: 200, json: { paused: true, all_paused: false } });
  expect(await state()).toEqual({ paused: true, all_paused: false });
  expect(await pause('{"scope":"mine"}')).toMatchObject({ status: 200, json: { paused: true } });
  expect(await resume()).toMatchObject({ status: 200, json: RUNNING });
  expect(await resume()).toMatchObject({ status: 200, json: RUNNING });
});

test('a resumed queue wakes the dispatcher for what waits, and a paused one does not', async () => {
  const world = setUp();
  await world.resume();
  expect(world.publisher.events).toEqual([]);
  await world.table.jobs.create(makeJob());
  await world.table.queue.put(entryOf(makeJob()));
  await world.pause();
  expect(world.publisher.events).toEqual([]);
  await world.resume();
  expect(world.publisher.events).toMatchObject([{ detailType: 'Task Submitted', detail: { jobId: JOB_ID } }]);
  world.publisher.failNext(1);
  expect(await world.resume()).toMatchObject({ status: 200 });
  expect(world.logger.lines).toMatchObject([{ code: 'dispatch.not-woken' }]);
});

test("is nobody else's", async () => {
  const { pause, resume, state } = setUp();
  await pause();
  expect(await state('user-2')).toEqual(RUNNING);
  await resume('', { userId: 'user-2' });
  expect((await state()).paused).toBe(true);
});

describe('every queue', () => {
  test('is paused and resumed by an operator, which the log tells', async () => {
    const { pause, resume, state, logger } = setUp();
    await pause('{"scope":"all"}', { scopes: ADMIN });
    expect(await state('user-2')).toEqual({ paused: false, all_paused: true });
    await resume('{"scope":"all"}', { scopes: ADMIN });
    expect(await state('user-2')).toEqual(RUNNING);
    expect(logger.lines).toMatchObject([
      { code: 'queue.all', data: { paused: true, by: 'user-1' } },
      { code: 'queue.all', data: { paused: false } },
    ]);
  });

  test('is not for others', async () => {
    const { pause, resume, state } = setUp();
    expect(await pause('{"scope":"all"}')).toMatchObject({
      status: 403,
      text: expect.stringContaining('admin'),
    });
    expect((await resume('{"scope":"all"}')).status).toBe(403);
    expect(await state()).toEqual(RUNNING);
  });
});

test.each([
  ['{', /JSON/],
  ['[]', /object/],
  ['null', /object/],
  ['{"scope":"yours"}', /scope must be "mine" or "all"/],
  ['{"scope":["all"]}', /scope/],
  ['{"scope":null}', /scope/],
])('%s is refused in one line, and pauses nothing', async (body, message) => {
  const { pause, state } = setUp();
  const answer = await pause(body, { scopes: ADMIN });
  expect(answer.status).toBe(400);
  expect((answer.json as { error: string }).error).toMatch(message);
  expect(await state()).toEqual(RUNNING);
});
