import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let folder: string;
const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-test-'));
  const template = {
    Resources: { Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'letters' } } },
    Outputs: { QueueUrl: { Value: { Ref: 'Queue' } } },
  };
  await writeFile(join(folder, 'Shop.template.json'), JSON.stringify(template));
  const artifact = { type: 'aws:cloudformation:stack', properties: { templateFile: 'Shop.template.json' } };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ artifacts: { Shop: artifact } }));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function run(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function finish(child: ChildProcess) {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code: code as number | null };
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'prints endpoint and outputs, and stops clean on %s',
  async (signal) => {
    const child = run('--assembly', folder, '--data', join(folder, 'data'));
    const done = finish(child);
    await once(child.stdout!, 'data');
    child.kill(signal);
    const { stdout, stderr, code } = await done;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:\d+\nAWS_REGION=us-east-1\n/);
    expect(stdout).toMatch(/Shop\.QueueUrl = http:\/\/127\.0\.0\.1:\d+\/000000000000\/letters\n/);
    expect(stderr).toContain('"msg":"resource.created"');
  },
);

test('explains itself', async () => {
  const { stdout, code } = await finish(run('--help'));
  expect(code).toBe(0);
  for (const option of ['--assembly', '--data', '--port', '--no-logs']) expect(stdout).toContain(option);
});

test.each([
  [
    'a directory that is no assembly',
    ['--assembly', 'nowhere'],
    /^embedded-aws: Cannot read .*manifest\.json.*\n$/,
  ],
  ['no assembly', [], /^error: required option '--assembly <directory>'/],
  [
    'a port that is no number',
    ['--assembly', 'x', '--port', 'many'],
    /^error: .*whole number from 0 to 65535/,
  ],
])('given %s ends with code 1 and one line', async (_, args, message) => {
  const { stderr, code } = await finish(run(...args));
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
