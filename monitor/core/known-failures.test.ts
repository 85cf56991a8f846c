/** What is known to go wrong with ComfyUI (the threads are named), and what the monitor makes of it. */
import { describe, expect, test } from '@jest/globals';
import { eventCatalogue } from '../../shared-types/index.ts';
import { chain, createMonitor, EXTRA, ID, success, T0 } from '../test-support/hand-driven-monitor.ts';
import type { MonitorInput } from './monitor-input.ts';
import { healthOf } from './publish-monitor.ts';

const connected = () => {
  const m = createMonitor();
  m.feed({ kind: 'socketOpened' });
  m.status(1);
  m.queue('running');
  return m;
};
const started = () => {
  const m = connected();
  m.frame('executing', { node: '0' });
  return m;
};
const stats = (argv: string[]): MonitorInput => ({
  kind: 'poll',
  result: { kind: 'systemStats', askedAt: T0, stats: { system: { argv }, devices: [] } },
});

describe('a socket that hears nothing (ComfyUI#16010, #15240)', () => {
  test('is given up when a running job has ended for half a minute without a frame', () => {
    const m = started();
    m.pass(29_999);
    m.queue('gone');
    expect(m.deaf()).toBe(false);
    m.pass(1);
    m.history(success);
    expect(m.deaf()).toBe(true);
    expect(m.last().detailType).toBe('Job Completed');
    expect(m.counts).toContain('deafSockets');
  });

  test('is given up when it was never greeted, though REST answers', () => {
    const m = createMonitor();
    m.feed({ kind: 'socketOpened' });
    m.pass(9999);
    m.length(0);
    expect(m.deaf()).toBe(false);
    m.pass(1);
    m.length(0);
    expect(m.deaf()).toBe(true);
    m.feed({ kind: 'socketClosed' });
    m.feed({ kind: 'socketOpened' });
    expect(m.deaf()).toBe(false);
  });

  test('is kept however long nothing is to be heard', () => {
    const m = createMonitor();
    m.feed({ kind: 'socketOpened' });
    m.status(0);
    for (let i = 0; i < 720; i += 1) {
      m.pass(5000);
      m.length(0);
    }
    expect(m.deaf()).toBe(false);
  });

  test('loses no job: its end is found by polls alone, once', () => {
    const m = createMonitor();
    m.queue('running');
    m.queue('gone');
    m.history(success);
    m.history(success);
    expect(m.only('Job Completed')).toHaveLength(1);
  });
});

describe('a ComfyUI that does not answer for minutes (nunchaku#787, ComfyUI#5177)', () => {
  test('is unreachable after three misses, and its job goes on', () => {
    const m = started();
    for (let i = 0; i < 3; i += 1) m.fail({ kind: 'queue' }, 'unreachable');
    expect(healthOf(m.state())).toBe('unreachable');
    m.pass(10 * 60_000);
    expect(m.ofJob().filter(({ detailType }) => /Failed|Cancelled|Completed/.test(detailType))).toEqual([]);
    m.queue('running');
    m.history(success);
    expect(m.last()).toMatchObject({ detailType: 'Job Completed', detail: { verified: true } });
  });

  test('is not taken for a restart by misses alone, and neither by a new connection', () => {
    const m = started();
    m.feed(stats(['main.py']));
    m.fail({ kind: 'queueLength' }, 'unreachable');
    m.feed({ kind: 'socketClosed' });
    m.feed({ kind: 'socketOpened' });
    m.status(1);
    m.feed(stats(['main.py']));
    m.queue('running');
    expect(m.counts).not.toContain('comfyRestarts');
  });
});

test('a restart that is quick enough to look seamless shows in the arguments (ComfyUI#3331)', () => {
  const m = started();
  m.feed(stats(['main.py']));
  m.pass(1000);
  m.feed({ kind: 'socketClosed' });
  m.feed({ kind: 'socketOpened' });
  m.feed(stats(['main.py', '--lowvram']));
  for (let i = 0; i < 2; i += 1) {
    m.queue('gone');
    m.history();
  }
  expect(m.last()).toMatchObject({ detailType: 'Job Failed', detail: { reason: 'comfyRestarted' } });
});

describe('neither queued nor in the history (comfyui-mcp#2507)', () => {
  test('is not done: a job that is back in the queue starts to count anew', () => {
    const m = started();
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < 2; i += 1) {
        m.queue('gone');
        m.history();
        m.pass(8000);
      }
      m.queue('running');
      m.frame('progress', { node: '0', value: round, max: 9 });
    }
    expect(m.ofJob().some(({ detailType }) => detailType.startsWith('Job F'))).toBe(false);
  });
});

describe('a prompt that nobody names', () => {
  test('is the own one that runs, and where there are two it is none', () => {
    const m = connected();
    m.frame('executing', { prompt_id: null, node: '1' });
    m.pass(1000);
    expect(JSON.stringify(m.only('Node Executing'))).toContain('"nodeId":"1"');
    const other = 'b1b8a2c0-2f5c-4e57-8f4b-2d6c0a3b9a02';
    m.frame('execution_start', { prompt_id: other });
    m.frame('executing', { prompt_id: null, node: '0' });
    expect(m.counts).toContain('framesWithoutPrompt');
    m.frame('executing', { prompt_id: null, node: null });
    expect(m.only('Job Completed')).toEqual([]);
  });

  test.each([[''], ['x'.repeat(129)]])('%#: an id that no event can carry is counted', (promptId) => {
    const m = connected();
    m.frame('execution_start', { prompt_id: promptId });
    expect(m.counts).toContain('framesOfInvalidPromptId');
    expect(m.state().jobs.size).toBe(1);
  });
});

describe('steps that are none (ComfyUI#6626, #8548)', () => {
  test.each<[string, number | null, number | null, string]>([
    ['below nothing', -1, 20, '0/20'],
    ['more than there are', 40, 20, '20/20'],
    ['of none at all', 3, 0, '1/1'],
    ['of fewer than none', 3, -5, '1/1'],
    ['not a number', null, 20, '10/20'],
    ['of no number', 12, null, '10/20'],
  ])('%s', (_name, value, max, expected) => {
    const m = started();
    m.frame('progress', { node: '0', value: 10, max: 20 });
    m.pass(1000);
    const before = m.only('Node Progress Update').at(-1)?.detail['overallPercentage'];
    m.frame('progress', { node: '0', value, max });
    const state = { state: 'running', node_id: '0', value, max };
    m.frame('progress_state', { nodes: { 0: state } });
    m.pass(1000);
    const run = m.state().jobs.get(ID)?.nodes.get('0');
    expect(`${run?.value}/${run?.max}`).toBe(expected);
    const { overallPercentage: after } = m.only('Node Progress Update').at(-1)!.detail;
    expect(after).toBeGreaterThanOrEqual(Number(before));
    expect(after).toBeLessThan(100);
    expect(m.counts.includes('progressWithoutNumbers')).toBe(value === null || max === null);
    expect(m.state().jobs.get(ID)?.nodes.get('0')?.restarted === true).toBe(
      value === -1 || max === 0 || max === -5,
    );
  });

  test('of a node that never started are counted', () => {
    const m = started();
    m.frame('progress', { node: '77', value: 1, max: 2 });
    expect(m.counts).toContain('progressOfUnknownNodes');
  });
});

describe('memory (ComfyUI_frontend#9249)', () => {
  test('of a job is let go at its end, and of its id ten minutes later: late frames are counted', () => {
    const m = started();
    m.history(success);
    expect(m.state().jobs.get(ID)).toMatchObject({ nodes: new Map(), workflow: undefined });
    m.frame('executing', { node: '1' });
    m.pass(599_999);
    expect(m.state().jobs.has(ID)).toBe(true);
    m.pass(1);
    expect(m.state().jobs.size).toBe(0);
    const events = m.ofJob().length;
    m.frame('executing', { node: '1' });
    m.queue('running');
    m.history(success);
    expect(m.counts.filter((name) => name === 'framesOfClosedJobs')).toHaveLength(2);
    expect([m.state().jobs.size, m.ofJob().length]).toEqual([0, events]);
  });

  test('of own jobs is not given away for prompts that are only broadcast', () => {
    const m = connected();
    for (let i = 0; i < 2000; i += 1) m.frame('progress_state', { prompt_id: `p${i}`, nodes: {} });
    expect(m.state().jobs.get(ID)).toMatchObject({ ownership: 'ours' });
    expect(m.state().jobs.size).toBeLessThanOrEqual(512);
  });

  test('of nodes ends at twenty thousand a job', () => {
    const m = createMonitor();
    m.feed({ kind: 'socketOpened' });
    m.queue('running', chain(2), EXTRA);
    const nodes = Object.fromEntries(
      Array.from({ length: 20_050 }, (_, i) => [
        `x${i}`,
        { state: 'running', node_id: `x${i}`, value: 0, max: 1 },
      ]),
    );
    m.frame('progress_state', { nodes });
    expect(m.state().jobs.get(ID)?.nodes.size).toBe(20_000);
    expect(m.counts).toContain('nodesOverCap');
    for (const { detailType, detail } of m.events)
      expect(eventCatalogue[detailType].schema.safeParse(detail).error).toBeUndefined();
  });
});
