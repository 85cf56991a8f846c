import { describe, expect, test } from '@jest/globals';
import { taskSummarySchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { Job } from '../core/job.ts';
import { entryOf } from '../core/queue-entry.ts';
import {
  JOB_ID,
  makeAssignedJob,
  makeJob,
  PROMPT_ID,
  START,
  uuidOf,
  WORKER_ID,
} from '../core/test-support/fixtures.ts';
import { createChangeTaskHandler } from './change-task.ts';

const ENDPOINT = 'http://10.0.3.17:8188';

const setUp = async (job: Job = makeJob()) => {
  const world = createApiWorld();
  await world.table.jobs.create(job);
  if (job.status === 'pending') await world.table.queue.put(entryOf(job));
  const call = createCaller(createChangeTaskHandler(world.ports));
  const cancel = (id = JOB_ID, userId = 'user-1') => call('cancelTask', { userId, pathParameters: { id } });
  const change = (body: string, id = JOB_ID, userId = 'user-1') =>
    call('changeTask', { userId, body, pathParameters: { id } });
  return { ...world, cancel, change };
};

/** A job whose prompt a worker's ComfyUI has. */
const setUpActive = async (status: 'assigned' | 'running') => {
  const world = await setUp(makeAssignedJob({ status }));
  await world.addWorker(WORKER_ID);
  await world.table.workers.claim(
    WORKER_ID,
    { jobId: JOB_ID, attempt: 1, userId: 'user-1', assignedAt: START },
    1,
  );
  const body = { prompt_id: PROMPT_ID, client_id: 'c', extra_data: { jobId: JOB_ID, attempt: 1 } };
  await world.comfyUi.submitPrompt(ENDPOINT, JSON.stringify(body));
  return world;
};

describe('a cancellation', () => {
  test('of a pending task is done at once, and again', async () => {
    const { table, publisher, cancel } = await setUp();
    const { status, json } = await cancel();
    expect(status).toBe(200);
    expect(taskSummarySchema.parse(json)).toMatchObject({
      id: JOB_ID,
      status: 'cancelled',
      cancel_requested: true,
    });
    expect(await table.allQueue()).toEqual([]);
    expect(publisher.events).toMatchObject([{ detailType: 'Task Cancelled' }]);
    expect((await cancel()).status).toBe(200);
  });

  test('of a running task is asked for, and says so until ComfyUI has ended it', async () => {
    const { comfyUi, jobOf, cancel } = await setUpActive('running');
    comfyUi.stuck.add(ENDPOINT);
    const { status, json } = await cancel();
    expect(status).toBe(202);
    expect(taskSummarySchema.parse(json)).toMatchObject({ status: 'running', cancel_requested: true });
    expect(comfyUi.ended).toEqual([PROMPT_ID]);
    expect(jobOf(JOB_ID).cancelRequestedAt).not.toBeNull();
    expect((await cancel()).status).toBe(202);
  });

  test.each(['completed', 'failed'] as const)('of a task that has %s is 409', async (status) => {
    const { cancel, jobOf } = await setUp(makeAssignedJob({ status, completedAt: START }));
    expect(await cancel()).toMatchObject({ status: 409, text: expect.stringContaining(status) });
    expect(jobOf(JOB_ID).status).toBe(status);
  });

  test("of another user's task is 404, in the words for one that never was and for what is no id", async () => {
    const { cancel, jobOf } = await setUp();
    const other = await cancel(JOB_ID, 'user-2');
    expect(other.status).toBe(404);
    for (const id of [uuidOf(404), 'x', '', '__proto__', '../secrets', `${JOB_ID}#`]) {
      expect(await cancel(id)).toEqual(other);
    }
    expect(jobOf(JOB_ID).status).toBe('pending');
  });
});

describe('a change of priority', () => {
  test('moves a pending task within its queue', async () => {
    const { table, change, jobOf } = await setUp();
    await table.queue.put(entryOf(makeJob({ jobId: uuidOf(1), priority: 7 })));
    const { status, json } = await change('{"priority":9}');
    expect(status).toBe(200);
    expect(taskSummarySchema.parse(json)).toMatchObject({ id: JOB_ID, priority: 9, status: 'pending' });
    expect(jobOf(JOB_ID).priority).toBe(9);
    expect((await table.allQueue()).map(({ jobId, priority }) => [jobId, priority])).toEqual([
      [JOB_ID, 9],
      [uuidOf(1), 7],
    ]);
  });

  test('to what it is leaves everything as it is', async () => {
    const { table, change } = await setUp();
    expect((await change('{"priority":5}')).status).toBe(200);
    expect(await table.allQueue()).toEqual([entryOf(makeJob())]);
  });

  test('keeps the delay of a retry', async () => {
    const { table, change } = await setUp();
    const job = makeJob();
    const delayed = entryOf(job, job.queuedAt, '2026-11-22T10:05:00.000Z');
    await table.queue.put(delayed);
    await change('{"priority":9}');
    expect(await table.allQueue()).toEqual([{ ...delayed, priority: 9 }]);
  });

  test.each(['assigned', 'running', 'completed', 'failed', 'cancelled'] as const)(
    'of a task that is %s is 409',
    async (status) => {
      const { table, change, jobOf } = await setUp(makeAssignedJob({ status }));
      expect(await change('{"priority":9}')).toMatchObject({
        status: 409,
        text: expect.stringContaining('pending'),
      });
      expect(jobOf(JOB_ID).priority).toBe(5);
      expect(await table.allQueue()).toEqual([]);
    },
  );

  test.each([
    ['jobs', 'update'],
    ['queue', 'put'],
    ['queue', 'remove'],
  ] as const)('that breaks at %s.%s never takes the task out of the queue', async (port, method) => {
    for (const time of ['before', 'after'] as const) {
      const { table, change, jobOf } = await setUp();
      table.fail(port, method, 1, time);
      expect((await change('{"priority":9}')).status).toBe(500);
      const waiting = (await table.allQueue()).filter(({ queuedAt }) => queuedAt === jobOf(JOB_ID).queuedAt);
      expect(waiting.length).toBeGreaterThan(0);
      expect((await change('{"priority":9}')).status).toBe(200);
      expect(await table.allQueue()).toContainEqual(entryOf(makeJob({ priority: 9 })));
    }
  });

  test('of a task that is dispatched meanwhile leaves no entry behind', async () => {
    const { table, faults, change } = await setUp();
    faults.interleave(async (label) => {
      if (label !== 'queue.put') return;
      faults.interleave(async () => undefined);
      await table.jobs.update({
        guard: { jobId: JOB_ID, statuses: ['pending'] },
        patch: { status: 'assigned', attempt: 1 },
      });
    });
    await change('{"priority":9}');
    expect(await table.allQueue()).toEqual([]);
  });

  test('sent twice at once leaves one entry, of the priority that the job has', async () => {
    const { table, change, jobOf } = await setUp();
    await Promise.all([change('{"priority":9}'), change('{"priority":1}'), change('{"priority":7}')]);
    const { priority } = jobOf(JOB_ID);
    expect(await table.allQueue()).toEqual([entryOf(makeJob({ priority }))]);
  });

  test.each([
    ['', /empty/],
    ['{', /JSON/],
    ['[]', /object/],
    ['{}', /priority/],
    ['{"priority":null}', /priority/],
    ['{"priority":"9"}', /priority/],
    ['{"priority":[9]}', /priority/],
    ['{"priority":11}', /priority/],
    ['{"priority":-1}', /priority/],
    ['{"priority":1.5}', /priority/],
    ['{"priority":18446744073709551615}', /priority/],
    ['{"__proto__":{"priority":9}}', /priority/],
  ])('%s is refused in one line', async (body, message) => {
    const { change, jobOf } = await setUp();
    const answer = await change(body);
    expect(answer.status).toBe(400);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(jobOf(JOB_ID).priority).toBe(5);
  });

  test("of another user's task is 404, in the words for one that never was", async () => {
    const { change, jobOf } = await setUp();
    const other = await change('{"priority":9}', JOB_ID, 'user-2');
    expect(other.status).toBe(404);
    for (const id of [uuidOf(404), 'x', '__proto__']) {
      expect(await change('{"priority":9}', id)).toEqual(other);
    }
    expect(jobOf(JOB_ID).priority).toBe(5);
  });
});
