import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFakeApi, type FakeApi } from '../test-support/fake-api.ts';
import { run as runCli } from '../test-support/run.ts';

let api: FakeApi;
let folder: string;
beforeEach(async () => {
  api = await startFakeApi();
  folder = await mkdtemp(join(tmpdir(), 'cli-tasks-'));
});
afterEach(async () => {
  await api.close();
  await rm(folder, { recursive: true });
  expect(api.violations).toEqual([]);
});
const run = (...args: string[]) => runCli(args, { api: api.url });
const add = (changes: Parameters<FakeApi['tasks']['add']>[0] = {}): string => api.tasks.add(changes).task.id;

describe('ls', () => {
  test('lists page by page, up to the limit', async () => {
    for (let n = 0; n < 250; n += 1) add();
    const { out } = await run('ls', '--limit', '230');
    expect(out.trimEnd().split('\n')).toHaveLength(231);
    expect(api.requests.map(({ path }) => path.split('?')[1])).toEqual([
      'limit=100',
      'limit=100&cursor=100',
      'limit=30&cursor=200',
    ]);
  });

  test('asks for a status and a workflow', async () => {
    const id = add({ status: 'running', workflow_id: 'a&b' });
    add({ status: 'running', workflow_id: 'c' });
    add({ workflow_id: 'a&b' });
    const { out } = await run('ls', '--status', 'running', '--workflow', 'a&b', '--json');
    expect((JSON.parse(out) as { tasks: { id: string }[] }).tasks.map((task) => task.id)).toEqual([id]);
  });

  test('shows each task on one line, whatever its workflow is called', async () => {
    const id = add({ workflow_id: 'x\u001b[2J\r\n\u202ey', status: 'running', cancel_requested: true });
    const { out } = await run('ls');
    expect(out.split('\n')).toHaveLength(3);
    expect(out).toContain(`${id}  cancelling`);
    expect(out).toContain('x [2J y');
  });
});

describe('cancel', () => {
  test('says what is cancelled and what will be; a twin is asked for once', async () => {
    const [pending, running] = [add(), add({ status: 'running' })];
    const { code, out } = await run('cancel', pending, running, pending);
    expect([code, out]).toEqual([0, `${pending} cancelled\n${running} is being cancelled\n`]);
    expect(api.requests).toHaveLength(2);
  });

  test('one that has ended does not keep the others', async () => {
    const [done, pending, gone] = [add({ status: 'completed' }), add(), crypto.randomUUID()];
    const { code, out, err } = await run('cancel', done, pending, gone, '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ tasks: [{ id: pending, status: 'cancelled' }] });
    expect(err).toBe(
      'error: 2 tasks could not be cancelled\n' +
        `  ${done}: this task has completed already and cannot be cancelled\n` +
        `  ${gone}: no such task: check the id\n`,
    );
  });

  test('an id cannot lead to another route', async () => {
    await run('cancel', '../workers/pod-1/drain?x=#');
    expect(api.requests[0]?.path).toBe('/api/v1/tasks/..%2Fworkers%2Fpod-1%2Fdrain%3Fx%3D%23');
  });
});

describe('one task', () => {
  test('show prints JSON with every digit, and nothing that steers a terminal', async () => {
    const id = add();
    const task = JSON.stringify(api.tasks.tasks.get(id)?.task);
    const body = `${task.slice(0, -1)},"seed":18446744073709551615,"name":"a\u202e\u009b2J"}`;
    api.intercept = () => ({ status: 200, body });
    const { code, out } = await run('show', id);
    expect(code).toBe(0);
    expect(out).toContain('"seed": 18446744073709551615');
    expect(out).toContain('"name": "a\\u202e\\u009b2J"');
    expect(JSON.parse(out)).toEqual(JSON.parse(body));
  });

  test('logs are lines', async () => {
    const entry = {
      at: '2026-11-22T10:00:00.000Z',
      attempt: 1,
      what: 'node_executed',
      message: 'K-Sampler\u001b[2J\nran',
      worker_id: null,
      node_id: '3',
      node_name: null,
      node_type: null,
      duration_ms: 61_000,
    };
    api.timeline = { entries: [entry], truncated: true };
    const { out, err } = await run('logs', add());
    expect(out).toBe('2026-11-22T10:00:00.000Z  1  node_executed   K-Sampler [2J ran  (1 min 1 s)\n');
    expect(err).toBe('there is more, which is not shown\n');
  });

  test('retry makes one new task, though its answer is lost', async () => {
    const id = add({ status: 'failed' });
    let calls = 0;
    api.intercept = () => ((calls += 1) === 1 ? 'cut' : undefined);
    const { code, out } = await run('retry', id);
    expect(code).toBe(0);
    expect(api.tasks.tasks.get(out.trim())?.task.retry_of).toBe(id);
    expect(new Set(api.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  test('priority is changed', async () => {
    const id = add();
    expect((await run('priority', id, '10')).out).toBe(`${id} has priority 10\n`);
    expect((await run('priority', id, '11')).code).toBe(2);
    expect((await run('priority', id, '1e1')).code).toBe(2);
  });
});

describe('workers, queue, workflows, keys', () => {
  test('workers and metrics are tables', async () => {
    expect((await run('workers')).out).toMatch(/^ID +STATUS .*\npod-1 +busy /);
    expect((await run('metrics')).out).toMatch(/pending_tasks +3\n/);
    expect((await run('drain', 'pod-1')).out).toBe('pod-1 is draining\n');
    expect((await run('resume', 'pod-1')).out).toBe('pod-1 is idle\n');
  });

  test('the queue is paused, told and resumed', async () => {
    expect((await run('queue', 'pause', '--all')).out).toBe('paused: yours no, all yes\n');
    expect((await run('queue', 'status')).out).toBe('paused: yours no, all yes\n');
    expect(JSON.parse((await run('queue', 'pause', '--json')).out)).toEqual({
      paused: true,
      all_paused: true,
    });
    expect((await run('queue', 'resume')).out).toBe('paused: yours no, all yes\n');
  });

  test('a workflow is kept with its digits, its parameters found as --set finds them', async () => {
    const file = join(folder, 'w.json');
    const text =
      '{"3":{"class_type":"K","inputs":{"seed":18446744073709551615,"positive":["6",0]}},"6":{"class_type":"C","inputs":{"text":"x"}}}';
    await writeFile(file, text);
    const params = [
      '--param',
      'prompt=prompt',
      '--param',
      'seed=3.seed',
      '--param',
      'both=6.text',
      '--param',
      'both=3.seed',
    ];
    const { code, out } = await run('workflows', 'put', 'portrait', file, ...params);
    expect([code, out]).toEqual([0, 'portrait: prompt, seed, both\n']);
    expect(api.requests[0]?.body).toBe(
      '{"parameters":{"prompt":"6.inputs.text","seed":"3.inputs.seed","both":["6.inputs.text","3.inputs.seed"]},' +
        `"workflow":${text}}`,
    );
    expect((await run('workflows', 'ls')).out).toContain('portrait  prompt,seed,both');
    expect((await run('workflows', 'put', 'x', file, '--param', 'a=nothing')).code).toBe(2);
    expect(JSON.parse((await run('workflows', 'rm', 'portrait', '--json')).out)).toEqual({
      id: 'portrait',
      removed: true,
    });
    expect((await run('workflows', 'rm', 'portrait')).code).toBe(2);
  });

  test('a new key is the one line on stdout', async () => {
    const { out, err } = await run(
      'keys',
      'create',
      'ci',
      '--scope',
      'tasks:read',
      '--days',
      '7',
      '--user',
      'bob',
    );
    expect(out).toMatch(/^cpk_\S+\n$/);
    expect(err).toContain('User bob, scopes tasks:read.');
    expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({
      name: 'ci',
      scopes: ['tasks:read'],
      expires_in_days: 7,
      user_id: 'bob',
    });
    expect((await run('keys', 'ls', '--user', 'b&b')).out).toContain('valid');
    expect((await run('keys', 'revoke', 'k1', '--json')).out).toBe(
      '{\n  "id": "k1",\n  "revoked": true\n}\n',
    );
    expect(api.requests[1]?.path).toBe('/api/v1/keys?user_id=b%26b');
  });
});
