import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, jest, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { testPrograms } from '../../test/support/assembly.ts';
import { until } from './test-support/recording-player.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

const root = fileURLToPath(new URL('../../', import.meta.url));

const main = path.join(root, 'demo/comfyui/main.ts');

let bundle: string;

// tsx takes longer to begin than all else in here: one test goes by it, and the others by what it would run.
beforeAll(async () => {
  ({ pod: bundle } = await testPrograms());
});

const run = (command: readonly string[]): ChildProcess =>
  spawn(process.execPath, command, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
const start = (...args: string[]): ChildProcess => run([bundle, ...args]);

async function readyUrl(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const said = JSON.parse(line) as { ready: boolean; url: string };
    if (said.ready) return said.url;
  }
  throw new Error('the process ended before it was ready');
}

test('says its address in one line, answers, and ends clean on SIGTERM', async () => {
  const child = start('--port', '0', '--step-delay-ms', '0');
  const url = await readyUrl(child);
  expect((await fetch(`${url}/prompt`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('ends when its parent lets go of it, and dies of a crash it was told to have', async () => {
  const [orphan, victim] = [start('--port', '0'), start('--port', '0')];
  const [, url] = await Promise.all([readyUrl(orphan), readyUrl(victim)]);
  const ends = Promise.all([once(orphan, 'exit'), once(victim, 'exit')]);
  orphan.stdin!.end();
  const reply = await fetch(`${url}/demo/crash`, { method: 'POST', body: '{}' }).catch(() => null);
  expect([200, undefined]).toContain(reply?.status);
  expect(await ends).toEqual([
    [0, null],
    [137, null],
  ]);
});

test('comes back on the same port when the crash says so', async () => {
  const child = start('--port', '0');
  const url = await readyUrl(child);
  // A socket notices the crash, however soon the pod is back.
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?clientId=me`);
  await once(socket, 'open');
  const cut = once(socket, 'close');
  await fetch(`${url}/demo/crash`, { method: 'POST', body: '{"restartAfterMs":300}' });
  const answers = (): Promise<boolean> =>
    fetch(`${url}/prompt`).then(
      (r) => r.ok,
      () => false,
    );
  expect((await cut)[0]).toBe(1006);
  await until(answers, 'the way back');
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a wrong option ends with one line and a code', async () => {
  const child = run(['--import', 'tsx', main, '--port', 'many']);
  const errors: Buffer[] = [];
  child.stderr!.on('data', (part: Buffer) => errors.push(part));
  expect(await once(child, 'exit')).toEqual([1, null]);
  expect(Buffer.concat(errors).toString()).toContain('a whole number, please');
});
