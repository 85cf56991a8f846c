import { describe, expect, test } from '@jest/globals';
import { metricsSchema, taskListSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import type { Job } from '../core/job.ts';
import { makeJob, uuidOf } from '../core/test-support/fixtures.ts';
import { createListTasksHandler } from './list-tasks.ts';

const at = (n: number): string => new Date(Date.parse('2026-11-22T10:00:00.000Z') + n * 1000).toISOString();

const setUp = async (jobs: readonly Partial<Job>[] = []) => {
  const world = createApiWorld();
  for (const [n, job] of jobs.entries()) {
    await world.table.jobs.create(makeJob({ jobId: uuidOf(n), createdAt: at(n), ...job }));
  }
  const call = createCaller(createListTasksHandler(world.ports));
  const list = (query: Readonly<Record<string, string>> = {}, userId = 'user-1') =>
    call('listTasks', { query, userId });
  const ids = async (query?: Readonly<Record<string, string>>, userId?: string) =>
    taskListSchema.parse((await list(query, userId)).json).tasks.map(({ id }) => id);
  const metrics = async (userId = 'user-1') =>
    metricsSchema.parse((await call('getMetrics', { userId })).json);
  return { ...world, list, ids, metrics };
};

describe('the list of tasks', () => {
  test('is newest first, and says so little that it is quick', async () => {
    const { list } = await setUp([{}, { priority: 9 }]);
    const { status, json } = await list();
    expect(status).toBe(200);
    const { tasks, next_cursor } = taskListSchema.parse(json);
    expect(tasks).toMatchObject([{ id: uuidOf(1), priority: 9 }, { id: uuidOf(0) }]);
    expect(Object.keys(tasks[0]!)).not.toContain('payload');
    expect(next_cursor).toBeNull();
  });

  test('is read page by page, each task once', async () => {
    const { list } = await setUp(Array.from({ length: 7 }, () => ({})));
    const seen: string[] = [];
    let cursor: string | null | undefined;
    do {
      const query = { limit: '3', ...(typeof cursor === 'string' ? { cursor } : {}) };
      const page = taskListSchema.parse((await list(query)).json);
      expect(page.tasks.length).toBeLessThanOrEqual(3);
      seen.push(...page.tasks.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map(uuidOf));
  });

  test('is filtered by status and by workflow', async () => {
    const { ids } = await setUp([
      { status: 'completed' },
      { workflowId: 'w' },
      { status: 'completed', workflowId: 'w' },
    ]);
    expect(await ids({ status: 'completed' })).toEqual([uuidOf(2), uuidOf(0)]);
    expect(await ids({ workflow_id: 'w' })).toEqual([uuidOf(2), uuidOf(1)]);
    expect(await ids({ workflow_id: 'w', status: 'completed' })).toEqual([uuidOf(2)]);
    expect(await ids({ workflow_id: '__proto__' })).toEqual([]);
  });

  test("holds nobody else's", async () => {
    const { ids, list } = await setUp([{}, { userId: 'user-2' }, {}]);
    expect(await ids()).toEqual([uuidOf(2), uuidOf(0)]);
    expect(await ids({}, 'user-2')).toEqual([uuidOf(1)]);
    expect(await ids({}, 'user-3')).toEqual([]);
    const { next_cursor: cursor } = taskListSchema.parse((await list({ limit: '1' })).json);
    const stolen = await list({ cursor: cursor ?? '' }, 'user-2');
    expect(stolen).toMatchObject({ status: 400, text: expect.stringContaining('cursor') });
  });

  test('shows what is true now where the index lags', async () => {
    const world = await setUp([{}, {}]);
    const list = async () => ({
      kind: 'page' as const,
      jobIds: [uuidOf(1), uuidOf(404), uuidOf(0)],
      cursor: undefined,
    });
    await world.table.jobs.update({
      guard: { jobId: uuidOf(1), statuses: ['pending'] },
      patch: { status: 'assigned' },
    });
    const handler = createListTasksHandler({ ...world.ports, index: { ...world.ports.index, list } });
    const call = createCaller(handler);
    const read = async (query: Readonly<Record<string, string>>) =>
      taskListSchema.parse((await call('listTasks', { query })).json).tasks.map(({ id }) => id);
    expect(await read({})).toEqual([uuidOf(1), uuidOf(0)]);
    expect(await read({ status: 'pending' })).toEqual([uuidOf(0)]);
  });

  test.each([
    [{ limit: '0' }, /limit/],
    [{ limit: '101' }, /limit/],
    [{ limit: '1.5' }, /limit/],
    [{ limit: 'all' }, /limit/],
    [{ limit: '1e309' }, /limit/],
    [{ limit: '18446744073709551615' }, /limit/],
    [{ status: 'done' }, /status must be one of/],
    [{ status: '__proto__' }, /status must be one of/],
    [{ workflow_id: 'x'.repeat(257) }, /workflow_id/],
    [{ cursor: 'x' }, /cursor/],
    [{ cursor: '' }, /cursor/],
    [{ cursor: Buffer.from('{"__proto__":1}').toString('base64url') }, /cursor/],
    [{ cursor: Buffer.from('null').toString('base64url') }, /cursor/],
    [{ cursor: 'x'.repeat(2000) }, /cursor/],
    [{ cursor: '../x\u0000' }, /cursor/],
  ])('%j is refused in one line', async (query, message) => {
    const { list } = await setUp([{}]);
    const answer = await list(query);
    expect(answer.status).toBe(400);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(answer.text).not.toContain('\\n');
  });
});

describe('the metrics', () => {
  test('count the own tasks by state, and all workers', async () => {
    const { table, addWorker, metrics } = await setUp([
      {},
      { status: 'assigned' },
      { status: 'running' },
      { status: 'completed' },
      { status: 'failed' },
      { status: 'cancelled' },
      { userId: 'user-2' },
    ]);
    for (const id of ['idle', 'busy', 'draining', 'quarantined']) await addWorker(id);
    const assignment = { jobId: uuidOf(2), attempt: 1, userId: 'user-1', assignedAt: at(0) };
    await table.workers.claim('busy', assignment, 1);
    await table.workers.setDraining('draining', true);
    await table.workers.quarantine('quarantined', '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f001');
    const { queue, workers } = await metrics();
    expect(queue).toEqual({
      pending_tasks: 1,
      running_tasks: 2,
      completed_tasks: 1,
      failed_tasks: 1,
      cancelled_tasks: 1,
    });
    expect(workers).toEqual({
      total_workers: 4,
      idle_workers: 1,
      running_workers: 2,
      starting_workers: 0,
      failed_workers: 1,
    });
    expect((await metrics('user-2')).queue.pending_tasks).toBe(1);
    expect((await metrics('user-3')).queue.pending_tasks).toBe(0);
  });
});
