/** `npm start` as a person runs it: a process of its own, started, used, interrupted. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDemo, type Endpoints } from '../demo/start-demo.ts';
import { builtPrograms } from '../demo/workers.ts';
import { waitUntil } from './support/wait.ts';
import { seedTaskText } from './support/workflows.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Generous: they are only waited out by a test that fails. */
const [START_MS, WAIT_MS] = [120_000, 60_000];
jest.setTimeout(WAIT_MS);

let localDir: string;
const running = new Set<ChildProcess>();
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  localDir = await mkdtemp(path.join(os.tmpdir(), 'npm-start-'));
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const stop of stops) await stop();
  await rm(localDir, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'demo/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', LOCAL_DIR: localDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, ended, output: () => output };
};

const endpointsFile = (): string => path.join(localDir, 'endpoints.json');
const readEndpoints = async (): Promise<Endpoints | undefined> => {
  const text = await readFile(endpointsFile(), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Endpoints);
};
const refuses = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => false,
    () => true,
  );

test(
  'it serves the page and the API, keeps state with --data, and ends clean on Ctrl-C',
  async () => {
    const dataDir = path.join(localDir, 'data');
    const first = run(['--data', dataDir], { PORT: '0', PODS: '1', STEP_DELAY_MS: '5' });
    const endpoints = await waitUntil(readEndpoints, {
      what: `endpoints.json; ${first.output()}`,
      timeoutMs: START_MS,
    });
    expect(first.output()).not.toMatch(/error/i);
    const page = await fetch(endpoints.pageUrl!);
    expect(page.headers.get('content-type')).toContain('text/html');
    const config = (await (await fetch(new URL('config.json', endpoints.pageUrl!))).json()) as Record<
      string,
      string
    >;
    const { apiUrl, webSocketUrl } = endpoints;
    expect(config).toEqual({ apiUrl, webSocketUrl, eventsUrl: '/events' });
    const submitted = await fetch(`${endpoints.apiUrl}/api/v1/tasks`, { method: 'POST', body: seedTaskText });
    expect(submitted.status).toBe(201);
    const { id } = (await submitted.json()) as { id: string };
    const task = await waitUntil(
      async () => {
        const found = (await (await fetch(`${endpoints.apiUrl}/api/v1/tasks/${id}`)).json()) as {
          status: string;
          result: { src: string } | null;
        };
        return found.status === 'completed' && found;
      },
      { what: 'the picture', timeoutMs: WAIT_MS, pollMs: 100 },
    );
    const picture = Buffer.from(await (await fetch(task.result!.src)).arrayBuffer());

    // As a service manager ends it; then twice, as from a terminal: to the group, and passed on by npm.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGINT'] as const) first.child.kill(signal);
    expect(await first.ended).toBe(0);
    expect(first.output()).toContain('Stopped.');
    await expect(access(endpointsFile())).rejects.toThrow();
    const urls = [endpoints.apiUrl, endpoints.pageUrl!, endpoints.awsEndpointUrl, ...endpoints.comfyUiUrls];
    expect(await Promise.all(urls.map(refuses))).toEqual(urls.map(() => true));

    // What `npm start` starts, without the builds before it: they would be those of the first.
    const second = await startDemo({
      assembly: path.join(localDir, 'cdk.out'),
      programs: builtPrograms(path.join(localDir, 'workers')),
      dataDir,
      logDir: path.join(localDir, 'logs'),
      port: 0,
      pods: 1,
      stepDelayMs: 5,
    });
    stops.push(() => second.stop());
    const again = second.endpoints;
    const kept = (await (await fetch(`${again.apiUrl}/api/v1/tasks/${id}`)).json()) as {
      status: string;
      result: { src: string };
    };
    expect(kept.status).toBe('completed');
    const path2 = new URL(kept.result.src).pathname;
    const keptPicture = Buffer.from(await (await fetch(`${again.cdnUrl}${path2}`)).arrayBuffer());
    expect(keptPicture.equals(picture)).toBe(true);
  },
  4 * START_MS,
);

// Which settings are refused, and in which words, is demo/config.test.ts.
test.each([
  [{ PORT: '99999' }, /^PORT must be a port from 0 to 65535/],
  [
    { COMFYUI_URL: 'http://127.0.0.1:1' },
    /^COMFYUI_URL http:\/\/127\.0\.0\.1:1 does not answer as a ComfyUI/,
  ],
])('%j is one line and exit code 1', async (env, message) => {
  const { ended, output } = run([], env);
  expect(await ended).toBe(1);
  expect(output()).toMatch(message);
  expect(output().trim().split('\n')).toHaveLength(1);
});

test('--help says every setting', async () => {
  const { ended, output } = run(['--help'], {});
  expect(await ended).toBe(0);
  for (const word of ['PORT', 'COMFYUI_URL', 'PODS', 'STEP_DELAY_MS', '--data'])
    expect(output()).toContain(word);
});
