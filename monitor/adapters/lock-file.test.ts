import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { takeLock } from './lock-file.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const path = (): string => join(dir, 'owner.lock');

test('a second owner is refused until the first lets go', async () => {
  const lock = await takeLock(dir);
  expect((await stat(path())).mode & 0o777).toBe(0o600);
  await expect(takeLock(dir)).rejects.toMatchObject({ code: 'stateDirLocked', retryable: false });
  await lock.release();
  await (await takeLock(dir)).release();
});

test.each<[string, string]>([
  ['a process that is gone', JSON.stringify({ pid: 2 ** 22 + 1, startedAt: null })],
  [
    'an earlier process with our own pid, as after a restart of a container',
    JSON.stringify({ pid: process.pid, startedAt: '1' }),
  ],
  ['a write that a crash cut short', '{"pid":'],
])('the lock of %s is taken over', async (_name, content) => {
  await writeFile(path(), content);
  const lock = await takeLock(dir);
  expect(JSON.parse(await readFile(path(), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test('a directory that cannot be made is named as such', async () => {
  await writeFile(join(dir, 'file'), '');
  await expect(takeLock(join(dir, 'file', 'state'))).rejects.toMatchObject({ code: 'stateDirUnusable' });
});
