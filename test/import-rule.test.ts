/** The import rule of the folders fires: a forbidden import put into a copy of a folder is found. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'import-rule-'));
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a tree of these files breaks: `rule ← file`. */
const violationsOf = async (files: Readonly<Record<string, string>>): Promise<string[]> => {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  const cli = path.join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const config = path.join(root, '.dependency-cruiser.cjs');
  const tops = [...new Set(Object.keys(files).map((name) => name.split('/')[0]!))];
  const args = [cli, '--config', config, '--output-type', 'json', ...tops];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: folder }, (_error, stdout) => resolve(stdout));
  });
  const { summary } = JSON.parse(output) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  return summary.violations.map(({ rule, from }) => `${rule.name} ← ${from}`);
};

const thing = 'export const thing = 1;\n';
const use = (specifier: string): string =>
  `import { thing } from '${specifier}';\nexport const used = thing;\n`;

test('arrows that the design allows break no rule', async () => {
  const files = {
    'shared-types/index.ts': "import * as z from 'zod';\nexport const thing = z.string();\n",
    'functions/core/rule.ts': use('../../shared-types/index.ts'),
    'functions/job-start/handler.ts':
      "import { used } from '../core/rule.ts';\nexport const handler = used;\n",
    'functions/adapters/store.ts':
      "import { S3Client } from '@aws-sdk/client-s3';\nexport default S3Client;\n",
    'monitor/main.ts': use('../shared-types/index.ts'),
    'lib/stack.ts': use('../shared-types/index.ts'),
    'web/client/types.ts':
      "import type { thing } from '../../shared-types/index.ts';\nexport type T = typeof thing;\n",
  };
  expect(await violationsOf(files)).toEqual([]);
});

test('every other arrow is refused', async () => {
  const files = {
    'shared-types/index.ts': use('../functions/core/thing.ts'),
    'shared-types/thing.ts': thing,
    'functions/core/thing.ts': thing,
    'functions/adapters/thing.ts': thing,
    'functions/connect/thing.ts': thing,
    'monitor/thing.ts': thing,
    'functions/job-start/a.ts': use('../../monitor/thing.ts'),
    'functions/job-start/b.ts': use('../connect/thing.ts'),
    'functions/core/c.ts': use('../adapters/thing.ts'),
    'functions/core/d.ts': "import { S3Client } from '@aws-sdk/client-s3';\nexport default S3Client;\n",
    'functions/core/cycle-a.ts': "import { b } from './cycle-b.ts';\nexport const a = (): number => b();\n",
    'functions/core/cycle-b.ts': "import { a } from './cycle-a.ts';\nexport const b = (): number => a();\n",
    'monitor/main.ts': use('../functions/core/thing.ts'),
    'monitor/core/rule.ts': "import http from 'node:http';\nexport default http;\n",
    'lib/stack.ts': use('../functions/core/thing.ts'),
    'local/start.ts': use('../shared-types/thing.ts'),
  };
  expect(await violationsOf(files)).toEqual(
    expect.arrayContaining([
      'shared-types-stands-alone ← shared-types/index.ts',
      'functions-stay-in-functions ← functions/job-start/a.ts',
      'functions-do-not-import-each-other ← functions/job-start/b.ts',
      'core-knows-no-adapter ← functions/core/c.ts',
      'core-is-pure ← functions/core/d.ts',
      'no-cycle ← functions/core/cycle-a.ts',
      'monitor-stays-in-monitor ← monitor/main.ts',
      'core-is-pure ← monitor/core/rule.ts',
      'lib-knows-names-only ← lib/stack.ts',
      'local-knows-no-domain ← local/start.ts',
    ]),
  );
});

test('web takes types of shared-types, and no value', async () => {
  await copyFile(path.join(root, '.oxlintrc.json'), path.join(folder, '.oxlintrc.json'));
  const lint = async (name: string, text: string): Promise<string> => {
    await mkdir(path.join(folder, 'web'), { recursive: true });
    await writeFile(path.join(folder, 'web', name), text);
    const cli = path.join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
    return new Promise((resolve) => {
      execFile(process.execPath, [cli, `web/${name}`], { cwd: folder }, (_error, stdout) => resolve(stdout));
    });
  };
  const types = "import type { Job } from '../shared-types/index.ts';\nexport type T = Job;\n";
  expect(await lint('types.ts', types)).not.toContain('no-restricted-imports');
  expect(await lint('value.ts', use('../shared-types/index.ts'))).toContain('no-restricted-imports');
  expect(await lint('other.ts', use('../functions/core/thing.ts'))).toContain('no-restricted-imports');
});
