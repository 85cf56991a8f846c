import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from './api.ts';
import { startFakeApi, type FakeApi } from './test-support/fake-api.ts';
import { outputOf } from './test-support/fake-tasks.ts';
import { run, until } from './test-support/run.ts';
import { watchTasks } from './watch.ts';

let api: FakeApi;
let folder: string;
beforeEach(async () => {
  api = await startFakeApi();
  folder = await mkdtemp(join(tmpdir(), 'cli-watch-'));
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true });
  expect(api.violations).toEqual([]);
});

const COMPLETED_AT = '2026-11-22T10:01:05.000Z';
const bytes = new TextEncoder().encode('picture');

const addTask = (changes: Parameters<FakeApi['tasks']['add']>[0] = {}): string =>
  api.tasks.add({ workflow_id: 'hello', status: 'running', attempt: 1, ...changes }).task.id;

const resultOf = (filename: string) => {
  api.media.set('a.png', { status: 200, bytes });
  const outputs = [outputOf(filename, bytes, `${api.url}/media/a.png`)];
  return { src: null, mime_type: null, outputs, missing_outputs: [] };
};
const complete = (id: string): void =>
  api.move(id, { status: 'completed', progress: 100, completed_at: COMPLETED_AT, result: resultOf('a.png') });

const subscribed = (...ids: readonly string[]) =>
  until(() => ids.every((id) => api.subscriptions.includes(id)));

describe('watching to the end', () => {
  test('submit --watch shows node, step, percentage and estimate, and downloads the outputs', async () => {
    const workflow = join(folder, 'fox.json');
    await writeFile(workflow, '{"6":{"class_type":"CLIPTextEncode","inputs":{"text":"x"}}}');
    let err = '';
    const running = run(
      ['submit', workflow, '--set', 'text=a fox', '--watch', '--out', join(folder, 'out')],
      {
        api: api.url,
        onProgress: (text) => (err += text),
      },
    );
    await until(() => api.subscriptions.length === 1);
    const [id = ''] = api.subscriptions;
    await until(() => err.includes('waiting'));
    api.move(
      id,
      { status: 'running', attempt: 1, progress: 62.5 },
      { name: 'K-Sampler', step: 15, steps: 20 },
    );
    await until(() => err.includes('62 %  K-Sampler 15/20'));
    complete(id);
    const { code, out } = await running;
    expect(code).toBe(0);
    expect(out).toBe(`${id} completed in 1 min 5 s\n  ${join(folder, 'out', 'a.png')}\n`);
    expect(await readFile(join(folder, 'out', 'a.png'), 'utf8')).toBe('picture');
    expect(err).toContain(`${id}  fox\n`);
    expect(err).not.toContain('\u001b');
    expect(api.handshakes).toHaveLength(1);
  });

  test('the estimate of the API stands on the line', async () => {
    const id = addTask({ eta_seconds: 65, progress: 10 });
    let err = '';
    const running = run(['watch', id, '--no-download'], {
      api: api.url,
      terminal: { columns: 120, rows: 24 },
      onProgress: (text) => (err += text),
    });
    await until(() => err.includes('about 1 min'));
    complete(id);
    expect((await running).code).toBe(0);
  });

  test.each([
    [['completed'], 0],
    [['failed'], 1],
    [['cancelled'], 3],
    [['completed', 'cancelled'], 3],
    [['cancelled', 'failed', 'completed'], 1],
  ] as const)('%j is exit code %d', async (statuses, code) => {
    const ids = statuses.map(() => addTask());
    const running = run(['watch', ...ids, '--no-download'], { api: api.url });
    await subscribed(...ids);
    for (const [index, status] of statuses.entries())
      api.move(ids[index]!, {
        status,
        completed_at: COMPLETED_AT,
        error: status === 'failed' ? 'no\u001b[2Jmemory' : '',
      });
    const { code: ended, out } = await running;
    expect(ended).toBe(code);
    expect(out.trimEnd().split('\n')).toEqual(
      ids.map((id, index) => {
        const status = statuses[index];
        if (status === 'completed') return `${id} completed in 1 min 5 s`;
        return status === 'failed' ? `${id} failed: no [2Jmemory` : `${id} cancelled`;
      }),
    );
  });

  test('tasks that have ended already need no news', async () => {
    const id = addTask({ status: 'completed', completed_at: COMPLETED_AT, result: resultOf('b.png') });
    const { code } = await run(['watch', id, id, '--out', folder], { api: api.url });
    expect([code, await readdir(folder)]).toEqual([0, ['b.png']]);
  });

  test('more tasks than one connection may follow take turns', async () => {
    const ids = Array.from({ length: 60 }, () => addTask());
    const running = run(['watch', ...ids, '--no-download'], { api: api.url });
    await subscribed(...ids.slice(0, 40));
    expect(new Set(api.subscriptions).size).toBe(40);
    for (const id of ids) complete(id);
    expect((await running).code).toBe(0);
    expect(new Set(api.subscriptions).size).toBe(60);
  });

  test('an unknown task is told before anything is watched', async () => {
    const { code, err } = await run(['watch', addTask(), crypto.randomUUID()], { api: api.url });
    expect([code, err]).toEqual([2, 'error: no such task: check the id\n']);
    expect(api.handshakes).toEqual([]);
  });

  test('names of nodes and workflows do not steer the terminal', async () => {
    const id = addTask({ workflow_id: 'x\u001b[31m\r\n\u202ey' });
    let err = '';
    const running = run(['watch', id, '--no-download'], {
      api: api.url,
      onProgress: (text) => (err += text),
    });
    await subscribed(id);
    api.move(id, { progress: 30 }, { name: 'a\u001b]0;title\u0007\r\nb\u009b2J', step: 1, steps: 2 });
    await until(() => err.includes('0;title'));
    complete(id);
    const { out } = await running;
    expect(`${out}${err}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe('on a terminal', () => {
  test('bars are drawn again, each job on its own line', async () => {
    const ids = [addTask({ progress: 10 }), addTask({ progress: 20 })];
    let err = '';
    const running = run(['watch', ...ids, '--no-download'], {
      api: api.url,
      terminal: { columns: 100, rows: 24 },
      onProgress: (text) => (err += text),
    });
    await subscribed(...ids);
    await until(() => err.includes(' 10 %') && err.includes(' 20 %'));
    for (const id of ids) complete(id);
    const { out } = await running;
    expect(err).toContain('\u001b[2A');
    expect(out).not.toContain('\u001b');
    const last = err.slice(err.lastIndexOf('\u001b[2A'));
    expect(last.match(/█{24} 100 %/g)).toHaveLength(2);
  });
});

describe('for scripts', () => {
  test('--json shows nothing on the way and prints one document, without the workflow', async () => {
    const id = addTask();
    const running = run(['watch', id, '--json', '--out', folder], {
      api: api.url,
      terminal: { columns: 100, rows: 24 },
    });
    await subscribed(id);
    complete(id);
    const { code, out, err } = await running;
    expect([code, err]).toEqual([0, '']);
    const { tasks } = JSON.parse(out) as { tasks: Record<string, unknown>[] };
    expect(tasks).toHaveLength(1);
    expect(tasks[0]).toMatchObject({ id, status: 'completed', files: [join(folder, 'a.png')] });
    expect(tasks[0]).not.toHaveProperty('payload');
  });

  test('whoever stops watching is still told which tasks there are', async () => {
    const id = addTask();
    const stopping = new AbortController();
    const running = run(['watch', id, '--json'], { api: api.url, signal: stopping.signal });
    await subscribed(id);
    stopping.abort();
    const { code, out, err } = await running;
    expect(code).toBe(3);
    expect(JSON.parse(out)).toEqual({ tasks: [{ id, workflow_id: 'hello' }] });
    expect(err).toBe('stopped watching; the tasks go on (cancel ends them)\n');
    expect(api.requests.some(({ method }) => method === 'DELETE')).toBe(false);
  });
});

describe('trouble on the way', () => {
  test('a cut socket comes back with a new ticket, and the watching goes on', async () => {
    const id = addTask();
    let err = '';
    const running = run(['watch', id, '--no-download'], {
      api: api.url,
      onProgress: (text) => (err += text),
    });
    await subscribed(id);
    api.cutSockets();
    await until(() => api.subscriptions.length === 2);
    complete(id);
    const { code } = await running;
    expect(code).toBe(0);
    expect(err).toContain('the connection broke; trying again\n');
    expect(new Set(api.handshakes).size).toBe(2);
  }, 60_000);

  test('a ticket that cannot be had for a while is asked for again', async () => {
    const id = addTask();
    let refused = 0;
    const running = run(['watch', id, '--no-download'], { api: api.url });
    await subscribed(id);
    api.intercept = ({ path }) =>
      path === '/api/v1/tickets' && (refused += 1) < 3 ? { status: 503, body: { error: 'no' } } : undefined;
    api.cutSockets();
    await until(() => api.subscriptions.length === 2);
    complete(id);
    expect((await running).code).toBe(0);
  }, 60_000);

  test('credentials that are taken away while watching end it with 5', async () => {
    const id = addTask();
    const running = run(['watch', id], { api: api.url });
    await subscribed(id);
    api.intercept = () => ({ status: 401, body: { error: 'the key is revoked' } });
    api.cutSockets();
    const { code, err } = await running;
    expect(code).toBe(5);
    expect(err).toContain('error: the key is revoked');
  }, 60_000);

  test('an API that stays away for ten minutes ends it with 4', async () => {
    const id = addTask();
    const { signal } = new AbortController();
    const sleep = async () => undefined;
    let now = 0;
    const own = createApi({ url: api.url, key: undefined, sleep, signal });
    const options = { output: { write: () => undefined }, quiet: true, signal, sleep, now: () => now };
    const watching = watchTasks([{ id, name: 'a' }], own, options);
    const ended = expect(watching).rejects.toMatchObject({ exitCode: 4, retryable: true });
    await subscribed(id);
    let tickets = 0;
    api.intercept = ({ path }) => {
      if (path === '/api/v1/tickets' && (tickets += 1) === 2) now += 11 * 60_000;
      return 'cut';
    };
    api.cutSockets();
    await ended;
    expect(tickets).toBe(2);
  }, 60_000);

  test('an end that the API does not read yet is waited for', async () => {
    const id = addTask();
    const running = run(['watch', id, '--no-download'], { api: api.url });
    await subscribed(id);
    let stale = 0;
    api.intercept = ({ path }) => {
      if (path !== `/api/v1/tasks/${id}` || (stale += 1) > 3) return undefined;
      return { status: 200, body: { ...api.tasks.tasks.get(id)?.task, status: 'running' } };
    };
    api.move(id, { status: 'failed', completed_at: COMPLETED_AT, error: 'no' });
    expect((await running).code).toBe(1);
    expect(stale).toBeGreaterThan(3);
  });
});
