import { describe, expect, test } from '@jest/globals';
import { run } from './test-support/run.ts';

const api = 'http://127.0.0.1:1';
const COMMANDS = [
  ['submit'],
  ['ls'],
  ['show'],
  ['watch'],
  ['download'],
  ['cancel'],
  ['retry'],
  ['priority'],
  ['logs'],
  ['callbacks'],
  ['workers'],
  ['drain'],
  ['resume'],
  ['metrics'],
  ['queue'],
  ['queue', 'status'],
  ['queue', 'pause'],
  ['queue', 'resume'],
  ['workflows'],
  ['workflows', 'put'],
  ['workflows', 'ls'],
  ['workflows', 'show'],
  ['workflows', 'rm'],
  ['keys'],
  ['keys', 'create'],
  ['keys', 'ls'],
  ['keys', 'revoke'],
];

describe('help', () => {
  test.each(COMMANDS)('of %s %s says what it does', async (...command) => {
    const { code, out, err } = await run([...command, '--help'], { api });
    expect([code, err]).toEqual([0, '']);
    expect(out.startsWith(`Usage: comfy-pipeline ${command.join(' ')} `)).toBe(true);
    expect(out).toMatch(/\n\n[A-Z0-9].*\.\n/);
  });

  test('of all lists every command, the environment and the exit codes', async () => {
    const { code, out } = await run(['--help'], { api });
    expect(code).toBe(0);
    for (const [command = ''] of COMMANDS) expect(out).toContain(`\n  ${command} `);
    for (const word of ['COMFY_API_URL', 'COMFY_API_KEY', '5 not allowed']) expect(out).toContain(word);
    expect((await run(['help', 'submit'], { api })).code).toBe(0);
  });
});

describe('wrong use', () => {
  test.each([
    [[], 'Usage: comfy-pipeline'],
    [['queue'], 'Usage: comfy-pipeline queue'],
    [['lss'], "unknown command 'lss'\n(Did you mean ls?)"],
    [['queue', 'stop'], "unknown command 'stop'"],
    [['ls', '--nope'], "unknown option '--nope'"],
    [['ls', 'extra'], 'too many arguments'],
    [['ls', '--status', 'lost'], 'Allowed choices are pending, assigned'],
    [['ls', '--limit', '0'], 'must be a whole number from 1'],
    [['submit'], "missing required argument 'workflow'"],
    [['submit', 'x', '--repeat', '1.5'], 'must be a whole number from 1 to 1000'],
    [['submit', 'x', '--priority', '0x5'], 'must be a whole number from 0 to 10'],
    [['x\u001b[2J\u202e'], "unknown command 'x [2J '"],
  ])('%j is 2, and stdout stays empty', async (args, message) => {
    const { code, out, err } = await run(args, { api });
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
