import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
// Each test starts a process that loads the CDK: seconds alone, many of them on a machine that is busy.
jest.setTimeout(120_000);

let outdir = '';
beforeAll(() => {
  outdir = mkdtempSync(join(tmpdir(), 'cdk-out-'));
});
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  new Promise((done) => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], CDK_OUTDIR: outdir, ...environment };
    const command = ['--import', 'tsx', 'bin/app.ts', ...args];
    execFile(process.execPath, command, { cwd: projectRoot, env }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
      done({ code, stdout, stderr });
    });
  });

describe('the CDK app', () => {
  test('explains itself', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('-c jwtIssuer=URL');
    expect(stdout).toContain('-c previews=true');
  });

  test.each([
    [
      'a deployed stage without authentication',
      ['-c', 'stage=prod'],
      {},
      /^cdk: stage "prod" .* set -c jwtIssuer=/,
    ],
    ['an unknown stage', [], { STAGE: 'staging' }, /^cdk: unknown stage "staging"/],
    ['an unknown option', ['--stage', 'prod'], {}, /^cdk: Unknown option '--stage'/],
  ])('refuses %s with one line, and writes nothing', async (_, args, environment, expected) => {
    const { code, stderr } = await run(args, environment);
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(join(outdir, 'manifest.json'))).toBe(false);
  });
});
