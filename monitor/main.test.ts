import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { startPutEventsEndpoint, type PutEventsEndpoint } from '../test/fakes/put-events.ts';
import { startReplayComfyUi, type ReplayComfyUi } from '../test/fakes/replay-comfyui.ts';
import { until } from './test-support/monitor-bench.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
let comfy: ReplayComfyUi | undefined;
let bus: PutEventsEndpoint | undefined;
let stateDir: string | undefined;
let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await Promise.all([comfy?.close(), bus?.close()]);
  if (stateDir !== undefined) await rm(stateDir, { recursive: true, force: true });
  [comfy, bus, stateDir] = [undefined, undefined, undefined];
});

const launch = (env: Record<string, string>, args: readonly string[] = [], ipc = false) => {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return { child, output, exit };
};

const launchConnected = async (ipc = false) => {
  comfy = await startReplayComfyUi('model-free-fast');
  bus = await startPutEventsEndpoint();
  stateDir = await mkdtemp(join(tmpdir(), 'monitor-'));
  const launched = launch(
    {
      COMFYUI_PORT: String(comfy.port),
      EVENTBRIDGE_BUS_NAME: 'test-comfyui-events',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: bus.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      WORKER_ID: 'main-1',
      MONITOR_STATE_DIR: stateDir,
      MONITOR_HEALTH_PORT: '0',
    },
    [],
    ipc,
  );
  await until('it says that it is connected', () =>
    launched.output.stdout.includes('"code":"monitor.connected"'),
  );
  return launched;
};

describe('npm run monitor', () => {
  test('ends with code 2 and one line per problem when it is configured wrongly', async () => {
    const { output, exit } = launch({ COMFYUI_PORT: 'x' });
    expect(await exit).toBe(2);
    expect(output.stderr.trim().split('\n').sort()).toEqual([
      'AWS_REGION is required',
      'COMFYUI_PORT must be a whole number',
      'EVENTBRIDGE_BUS_NAME is required',
    ]);
  });

  test('explains every variable on --help', async () => {
    const { output, exit } = launch({}, ['--help']);
    expect(await exit).toBe(0);
    expect(output.stdout).toContain('MONITOR_PROGRESS_INTERVAL_MS');
  });

  test('publishes Monitor Stopped on SIGTERM and ends with code 0', async () => {
    const { child, exit } = await launchConnected();
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    expect(bus?.accepted.map((event) => event.detailType)).toEqual([
      'Monitor Initialized',
      'Monitor Stopped',
    ]);
  });

  test('ends when the process that started it lets go', async () => {
    const { child, exit } = await launchConnected(true);
    child.disconnect();
    expect(await exit).toBe(0);
    expect(bus?.accepted.at(-1)?.detailType).toBe('Monitor Stopped');
  });
});
