import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { PictureShrinker } from './adapters/picture-shrinker.ts';
import { jpegOf } from './test-support/pictures.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));

let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** The bundler's command, word by word as the Dockerfile has it. */
const bundleArguments = async (outDir: string): Promise<string[]> => {
  const dockerfile = await readFile(join(ROOT, 'monitor/Dockerfile'), 'utf8');
  const command = /npx esbuild ((?:.*\\\n)*.*)/.exec(dockerfile)?.[1] ?? '';
  const words = command.replaceAll('\\\n', ' ').match(/(?:"[^"]*"|[^\s"])+/g) ?? [];
  return words.map((word) => word.replaceAll('"', '').replace('/build/out', outDir));
};

test('the container holds a monitor that starts, and its thread beside it', async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  const [built, app] = [join(folder, 'built'), join(folder, 'app')];
  await run('node_modules/.bin/esbuild', await bundleArguments(built), { cwd: ROOT });
  // Away from every node_modules, as in the image.
  await cp(built, app, { recursive: true });
  expect((await readdir(app)).toSorted()).toEqual(['monitor.mjs', 'picture-thread.mjs']);
  const help = await run(process.execPath, [join(app, 'monitor.mjs'), '--help'], { cwd: app });
  expect(help.stdout).toContain('EVENTBRIDGE_BUS_NAME');
  expect(await readFile(join(app, 'monitor.mjs'), 'utf8')).toContain(
    '"./picture-thread.mjs", import.meta.url',
  );
  const shrinker = new PictureShrinker({ thread: pathToFileURL(join(app, 'picture-thread.mjs')) });
  expect(await shrinker.shrink(jpegOf(512), new AbortController().signal)).toMatchObject({ kind: 'fits' });
  await shrinker.close();
});
