import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';

const MAX_GZIP_BYTES = 100 * 1024;
const root = fileURLToPath(new URL('../../', import.meta.url));

const build = (outDir: string): Promise<unknown> => {
  const vite = path.join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--config', 'web/vite.config.ts', '--outDir', outDir, '--emptyOutDir'];
  // Jest's own NODE_ENV would make it a development build.
  return promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
};

test('the built page is small, asks no other host for anything and holds no schema library', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'page-'));
  try {
    await build(folder);
    const names = (await readdir(folder, { recursive: true })).filter((name) => path.extname(name) !== '');
    const files = await Promise.all(names.map((name) => readFile(path.join(folder, name))));
    const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(bytes).toBeLessThan(MAX_GZIP_BYTES);
    const all = files.map(String).join('\n');
    expect(all).toContain('18446744073709551615');
    expect(all).not.toMatch(/<(script|link)[^>]+(src|href)="https?:|@import|url\(\s*["']?https?:/);
    expect(all).not.toContain('ZodError');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
