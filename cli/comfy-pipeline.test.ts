import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startFakeApi, type FakeApi } from './test-support/fake-api.ts';
import { until } from './test-support/run.ts';

const projectRoot = fileURLToPath(new URL('..', import.meta.url));
const program = join(projectRoot, 'cli', 'comfy-pipeline.js');

let api: FakeApi;
let folder: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  api = await startFakeApi();
  folder = await mkdtemp(join(tmpdir(), 'cli-process-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await api.close();
  await rm(folder, { recursive: true });
  expect(api.violations).toEqual([]);
});

const start = (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) => {
  const started = spawn(command, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', COMFY_API_URL: api.url, COMFY_API_KEY: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  const texts = { out: '', err: '' };
  started.stdout.on('data', (data: Buffer) => (texts.out += data.toString()));
  started.stderr.on('data', (data: Buffer) => (texts.err += data.toString()));
  const ended = new Promise<number | null>((resolve) => {
    started.on('close', (code) => resolve(code));
  });
  return { started, texts, ended };
};

describe('as a process', () => {
  test('runs from any folder, whatever tsconfig.json lies there', async () => {
    await writeFile(join(folder, 'tsconfig.json'), '{ broken');
    const { ended, texts } = start(process.execPath, [program, '--help'], folder);
    expect([await ended, texts.err]).toEqual([0, '']);
    expect(texts.out).toContain('Usage: comfy-pipeline');
  }, 60_000);

  test('npx finds it in the project, without a network', async () => {
    const npx = ['--no-install', '--offline', 'comfy-pipeline', 'ls', '--json'];
    const { ended, texts } = start('npx', npx, projectRoot);
    expect(await ended).toBe(0);
    expect(JSON.parse(texts.out)).toEqual({ tasks: [] });
  }, 60_000);

  test('Ctrl-C ends the watching with 3; the task goes on', async () => {
    const { id } = api.tasks.add({ status: 'running', attempt: 1 }).task;
    const { started, ended, texts } = start(process.execPath, [program, 'watch', id], folder);
    await until(() => api.subscriptions.length === 1 && texts.err.includes('%'));
    started.kill('SIGINT');
    expect(await ended).toBe(3);
    expect(texts.err).toContain('stopped watching; the tasks go on');
    expect(api.requests.every(({ method }) => method !== 'DELETE')).toBe(true);
  }, 60_000);

  test('a reader that goes away is no error', async () => {
    for (let n = 0; n < 3000; n += 1) api.tasks.add({});
    const { started, ended, texts } = start(process.execPath, [program, 'ls', '--limit', '3000'], folder);
    started.stdout.destroy();
    expect([await ended, texts.err]).toEqual([0, '']);
  }, 60_000);

  test('a large answer comes whole through a pipe', async () => {
    for (let n = 0; n < 1000; n += 1) api.tasks.add({});
    const { ended, texts } = start(process.execPath, [program, 'ls', '--limit', '1000', '--json'], folder);
    expect(await ended).toBe(0);
    expect((JSON.parse(texts.out) as { tasks: unknown[] }).tasks).toHaveLength(1000);
  }, 60_000);
});
