import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/** What index.html loads before anything is clicked, in bytes. */
const MAX_FIRST_LOAD_GZIP_BYTES = 150 * 1024;
const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;

const build = (outDir: string): Promise<unknown> => {
  const vite = path.join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--config', 'web/vite.config.ts', '--outDir', outDir, '--emptyOutDir'];
  // Jest's own NODE_ENV would make it a development build.
  return promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'page-'));
  await build(folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8');
const allFiles = async (): Promise<readonly string[]> =>
  (await readdir(folder, { recursive: true })).filter((name) => path.extname(name) !== '');

/** index.html, what it names, and what those import without being asked. */
const firstLoad = async (): Promise<ReadonlySet<string>> => {
  const found = new Set(['index.html']);
  for (const name of found) {
    const text = await read(name);
    const pattern = name.endsWith('.html')
      ? /(?:src|href)="\.?\/([^"]+)"/g
      : /(?:\bfrom|\bimport)\s*["']\.\/([^"']+)["']/g;
    for (const [, file = ''] of text.matchAll(pattern)) {
      found.add(name.endsWith('.html') ? file : path.posix.join(path.posix.dirname(name), file));
    }
  }
  return found;
};

test('what is loaded first is small, and the other views come when they are asked for', async () => {
  const first = [...(await firstLoad())];
  expect(first.filter((name) => name.endsWith('.js')).length).toBeGreaterThan(0);
  expect(first.filter((name) => name.endsWith('.css')).length).toBeGreaterThan(0);
  const sizes = await Promise.all(first.map(async (name) => gzipSync(await read(name)).length));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MAX_FIRST_LOAD_GZIP_BYTES);
  const later = (await allFiles()).filter((name) => !first.includes(name));
  for (const view of ['job-view', 'gallery-view', 'workers-view', 'events-view']) {
    expect(later.some((name) => name.includes(view) && name.endsWith('.js'))).toBe(true);
  }
});

test('it asks no other host for anything, keeps long seeds and holds no schema library', async () => {
  const all = (await Promise.all((await allFiles()).map(read))).join('\n');
  expect(all).toContain('18446744073709551615');
  expect(all).not.toMatch(/<(script|link)[^>]+(src|href)="https?:|@import|url\(\s*["']?https?:/);
  expect(all).not.toContain('ZodError');
});
