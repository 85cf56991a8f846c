import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { taskApiExamples } from '../../shared-types/task-api-examples.ts';
import { startFakeApi, type FakeApi } from '../test-support/fake-api.ts';
import { run as runCli } from '../test-support/run.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(async () => {
  await api.close();
  expect(api.violations).toEqual([]);
});
const run = (...args: string[]) => runCli(args, { api: api.url });
const [delivered] = taskApiExamples.callbackList.deliveries;
const at = '2026-11-22T10:00:00.000Z';

test('each attempt is a line, the last one with what became of it', async () => {
  const failed = { at, status_code: null, error: 'ECONNREFUSED\u001b[2J', duration_ms: 1500 };
  const answered = { at, status_code: 500, error: 'HTTP 500', duration_ms: 83 };
  api.callbacks = [
    {
      ...delivered,
      status: 'pending',
      attempts: [failed, answered],
      next_attempt_at: '2026-11-22T10:05:00.000Z',
    },
  ];
  const { code, out, err } = await run('callbacks', api.tasks.add({ status: 'completed' }).task.id);
  expect([code, err]).toEqual([0, '']);
  const [, first, second, ...rest] = out.split('\n');
  expect(first).toMatch(/^2026-11-22T10:00:00\.000Z {2}task\.completed {2}ECONNREFUSED \[2J/);
  expect(first).not.toContain('pending');
  expect(second).toMatch(
    /500 HTTP 500 .*pending {2}2026-11-22T10:05:00\.000Z {2}https:\/\/app\.example\.com/,
  );
  expect(rest).toEqual(['']);
});

test('--json is the answer of the API, and of a task without a callback an empty list', async () => {
  const id = api.tasks.add({ status: 'completed' }).task.id;
  expect(await run('callbacks', id)).toMatchObject({
    code: 0,
    out: '',
    err: expect.stringContaining('no callback'),
  });
  expect(JSON.parse((await run('callbacks', id, '--json')).out)).toEqual({ deliveries: [] });
  api.callbacks = [delivered];
  expect(JSON.parse((await run('callbacks', id, '--json')).out)).toEqual({ deliveries: [delivered] });
});

test('--redeliver asks once, and shows what waits', async () => {
  const id = api.tasks.add({ status: 'completed' }).task.id;
  const { code, out } = await run('callbacks', id, '--redeliver');
  expect(code).toBe(0);
  expect(out).toContain('task.completed');
  expect(out).toContain('pending');
  expect(api.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    `POST /api/v1/tasks/${id}/callbacks/redeliver`,
  ]);
});

test('a delivery whose answer was lost is not asked for again', async () => {
  const id = api.tasks.add({ status: 'completed' }).task.id;
  api.intercept = () => 'lose';
  expect((await run('callbacks', id, '--redeliver')).code).toBe(4);
  expect(api.callbacks).toHaveLength(1);
});

test('a task that has not ended, or is not there, is refused in one line', async () => {
  const id = api.tasks.add({ status: 'running' }).task.id;
  const early = await run('callbacks', id, '--redeliver');
  expect([early.code, early.err]).toEqual([
    2,
    'error: the task is running: its callback is made when it ends\n',
  ]);
  expect((await run('callbacks', 'nothing')).code).toBe(2);
  expect((await run('callbacks')).code).toBe(2);
});
