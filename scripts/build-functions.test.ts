import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { buildFunctions } from './build-functions.ts';

let folder = '';
let sourceRoot = '';
let outdir = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-functions-'));
  sourceRoot = join(folder, 'functions');
  outdir = join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const addSource = (name: string, source: string, file = 'handler.ts'): void => {
  mkdirSync(join(sourceRoot, name), { recursive: true });
  writeFileSync(join(sourceRoot, name, file), source);
};
const bundle = (name: string): string => join(outdir, name, 'index.mjs');
const answerOf = async (name: string): Promise<unknown> => {
  const { handler } = (await import(pathToFileURL(bundle(name)).href)) as { handler: () => Promise<unknown> };
  return handler();
};

test('bundles each folder that has a handler, shared code included, and leaves the others out', async () => {
  addSource('core', 'export const word: string = "shared";', 'word.ts');
  addSource('first', "import { word } from '../core/word.ts'; export const handler = async () => word;");
  addSource('second', 'export const handler = async () => 2;');
  const built = await buildFunctions({ sourceRoot, outdir });
  expect(built.map(({ name }) => name)).toEqual(['first', 'second']);
  expect(readdirSync(outdir).sort()).toEqual(['first', 'second']);
  expect(await answerOf('first')).toBe('shared');
});

test('says the size of each bundle', async () => {
  addSource('only', 'export const handler = async () => 1;');
  const [only] = await buildFunctions({ sourceRoot, outdir });
  expect(only!.bytes).toBe(readFileSync(bundle('only')).length);
});

test('gives bundled CommonJS code the require that it calls', async () => {
  addSource('only', "const os = require('node:os'); module.exports = { eol: os.EOL };", 'legacy.cjs');
  addSource('only', "import legacy from './legacy.cjs'; export const handler = async () => legacy.eol;");
  await buildFunctions({ sourceRoot, outdir });
  expect(await answerOf('only')).toMatch(/^\r?\n$/);
});

test('gives the same bytes for the same sources, wherever they lie', async () => {
  addSource('only', "import { tmpdir } from 'node:os'; export const handler = async () => tmpdir();");
  await buildFunctions({ sourceRoot, outdir });
  const first = readFileSync(bundle('only'), 'utf8');
  await buildFunctions({ sourceRoot, outdir: join(folder, 'elsewhere') });
  expect(readFileSync(join(folder, 'elsewhere', 'only', 'index.mjs'), 'utf8')).toBe(first);
  expect(first).not.toContain(folder);
});

test('removes the bundle of a function that is gone', async () => {
  addSource('kept', 'export const handler = async () => 1;');
  addSource('gone', 'export const handler = async () => 2;');
  await buildFunctions({ sourceRoot, outdir });
  rmSync(join(sourceRoot, 'gone'), { recursive: true });
  await buildFunctions({ sourceRoot, outdir });
  expect(readdirSync(outdir)).toEqual(['kept']);
});

test('writes source maps when asked, and none when not', async () => {
  addSource('only', 'export const handler = async () => 1;');
  await buildFunctions({ sourceRoot, outdir, sourcemap: true });
  expect(readdirSync(join(outdir, 'only')).sort()).toEqual(['index.mjs', 'index.mjs.map']);
  await buildFunctions({ sourceRoot, outdir });
  expect(readFileSync(bundle('only'), 'utf8')).not.toContain('sourceMappingURL');
});

test('refuses a source that does not compile, naming the file', async () => {
  addSource('broken', 'export const handler = async () => {');
  await expect(buildFunctions({ sourceRoot, outdir })).rejects.toThrow(/broken\/handler\.ts/);
});

test('refuses a folder without functions', async () => {
  mkdirSync(sourceRoot);
  await expect(buildFunctions({ sourceRoot, outdir })).rejects.toThrow(/no functions/);
});
