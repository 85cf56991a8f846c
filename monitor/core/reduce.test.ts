import { describe, expect, test } from '@jest/globals';
import { MAX_EVENT_BYTES } from '../../shared-types/index.ts';
import { chain, createMonitor, entry, EXTRA, ID, success, T0 } from '../test-support/hand-driven-monitor.ts';
import { jsonBytes } from './event-size.ts';
import type { ResumedJob } from './monitor-state.ts';

describe('identity', () => {
  test('holds everything until /queue tells whose job it is, then tells it in order', () => {
    const m = createMonitor();
    m.frame('execution_start', {});
    m.frame('executing', { node: '0', display_node: '0' });
    m.frame('executing', { node: '1', display_node: '1' });
    expect(m.ofJob()).toEqual([]);
    expect(m.polls()).toContainEqual({ kind: 'queue' });
    m.queue('running');
    expect(m.ofJob().map((event) => event.detailType)).toEqual([
      'Job Started',
      'Node Executing',
      'Node Progress Update',
    ]);
    expect(m.ofJob()[0]?.detail).toMatchObject({ jobId: 'job-1', attempt: 3, sequence: 1, totalNodes: 2 });
  });

  test('forgets a prompt that turns out to be of another client, and does not ask again', () => {
    const m = createMonitor();
    m.frame('progress_state', { nodes: { 0: { value: 0, max: 1, state: 'running', node_id: '0' } } });
    m.queue('running', chain(2), { client_id: 'browser-9' });
    m.frame('progress_state', { nodes: { 0: { value: 1, max: 1, state: 'finished', node_id: '0' } } });
    expect([m.ofJob(), m.state().jobs.size]).toEqual([[], 0]);
    expect(m.counts).toContain('foreignPrompts');
  });
});

describe('rate', () => {
  test('a chain of 200 nodes done in 0.2 s costs few events and reports each node once', () => {
    const m = createMonitor();
    m.queue('pending', chain(200));
    m.frame('execution_start', {});
    m.frame('execution_cached', { nodes: [] });
    for (let i = 0; i < 200; i += 1) {
      m.frame('executing', { node: String(i), display_node: String(i) });
      m.pass(1);
      m.frame('progress_state', {
        nodes: { [i]: { value: 1, max: 1, state: 'finished', node_id: String(i) } },
      });
    }
    m.frame('execution_success', {});
    m.history(success);
    expect(m.ofJob().length).toBeLessThanOrEqual(8);
    const told = (type: string) =>
      m.only(type).flatMap((e) => (e.detail['nodes'] as { nodeId: string }[]).map((n) => n.nodeId));
    expect(told('Node Executing')).toEqual(Object.keys(chain(200)));
    expect([...told('Node Executed')].sort()).toEqual(Object.keys(chain(200)).sort());
  });

  test('publishes at most one event of each kind in an interval, and the trailing edge on time', () => {
    const m = createMonitor();
    m.queue('running');
    m.frame('executing', { node: '0' });
    const before = m.only('Node Progress Update').length;
    for (let step = 1; step <= 99; step += 1) {
      m.frame('progress', { node: '0', value: step, max: 100 });
      m.pass(10);
    }
    expect(m.only('Node Progress Update').length - before).toBe(0);
    expect(m.wake()).toBeLessThanOrEqual(10);
    m.pass(10);
    expect(m.last().detail).toMatchObject({
      nodeProgress: 99,
      nodeMaxProgress: 100,
      nodePercentage: 99,
      overallPercentage: 49.5,
    });
  });
});

describe('progress', () => {
  test('never falls when a lazy node starts over, and never reaches 100 before the end', () => {
    const m = createMonitor();
    m.queue('running');
    m.frame('executing', { node: '0' });
    m.pass(1000);
    const shares: number[] = [];
    for (const [value, max] of [
      [9, 10],
      [0, 10],
      [1e9, 3],
      [-5, 10],
      [Number.NaN, 0],
    ] as const) {
      m.frame('progress', { node: '0', value, max });
      m.pass(1000);
      shares.push(Number(m.only('Node Progress Update').at(-1)?.detail['overallPercentage']));
    }
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    m.frame('progress_state', {
      nodes: {
        0: { value: 1, max: 1, state: 'finished', node_id: '0' },
        1: { value: 1, max: 1, state: 'finished', node_id: '1' },
      },
    });
    m.pass(2000);
    expect(m.only('Node Progress Update').at(-1)?.detail['overallPercentage']).toBe(99.9);
  });

  test('is led by the node with steps, and names an expanded node by the node that it belongs to', () => {
    const m = createMonitor();
    m.queue('running', {
      2: { class_type: 'KSampler', inputs: {} },
      3: { class_type: 'SaveImage', inputs: { images: ['2', 0] } },
    });
    const node = (id: string, value: number, max: number, display = id) => ({
      [id]: { value, max, state: 'running', node_id: id, display_node_id: display },
    });
    m.frame('progress_state', { nodes: { ...node('2.0.0.1', 3, 9, '2'), ...node('3', 0, 1) } });
    m.pass(1000);
    expect(m.only('Node Progress Update').at(-1)?.detail).toMatchObject({
      nodeId: '2.0.0.1',
      displayNodeId: '2',
      nodeName: 'K-Sampler',
      totalNodes: 3,
      runningNodes: [{ nodeId: '2.0.0.1' }, { nodeId: '3', nodeName: 'Save Image' }],
    });
  });

  test('of a thousand nodes at work stays within 64 entries and the size limit', () => {
    const m = createMonitor();
    m.queue('running');
    const long = 'n'.repeat(500);
    const nodes = Array.from({ length: 1000 }, (_, i) => {
      const id = `${long}${i}`;
      return [
        id,
        {
          value: 1,
          max: 2,
          state: 'running',
          node_id: id,
          display_node_id: long,
          parent_node_id: long,
          real_node_id: long,
        },
      ];
    });
    m.frame('progress_state', { nodes: Object.fromEntries(nodes) as object });
    m.pass(1000);
    expect(m.only('Node Progress Update').length).toBeGreaterThan(0);
    for (const event of m.events) expect(jsonBytes(event.detail)).toBeLessThan(MAX_EVENT_BYTES - 1000);
    expect(m.only('Node Executing').flatMap((e) => e.detail['nodes'] as unknown[])).toHaveLength(1000);
  });
});

describe('the end of a job', () => {
  const started = (resumed: readonly ResumedJob[] = []) => {
    const m = createMonitor(resumed);
    m.feed({ kind: 'socketOpened' });
    m.queue('running');
    m.frame('executing', { node: '0' });
    return m;
  };

  test.each<[string, object, object]>([
    [
      'success',
      success,
      { detailType: 'Job Completed', detail: { verified: true, outputCount: 1, completedNodes: 2 } },
    ],
    [
      'success whose last message is an error',
      entry([
        ['execution_success', {}],
        ['execution_error', { prompt_id: ID, exception_type: 'x.DependencyCycleError', timestamp: T0 }],
      ]),
      { detailType: 'Job Failed', detail: { reason: 'badWorkflow' } },
    ],
    [
      'out of memory',
      entry([
        [
          'execution_error',
          {
            prompt_id: ID,
            exception_type: 'torch.OutOfMemoryError',
            exception_message: 'CUDA\ntips',
            node_id: '0',
          },
        ],
      ]),
      {
        detailType: 'Job Failed',
        detail: { reason: 'outOfMemory', message: 'CUDA', nodeId: '0', nodeType: 'ImageInvert' },
      },
    ],
    [
      'interruption',
      entry([['execution_interrupted', {}]]),
      { detailType: 'Job Cancelled', detail: { reason: 'interrupted' } },
    ],
    [
      'no status but outputs',
      { ...success, status: null },
      { detailType: 'Job Completed', detail: { verified: false } },
    ],
    [
      'no status and no outputs',
      { ...entry([]), status: null },
      { detailType: 'Job Failed', detail: { reason: 'noStatus' } },
    ],
  ])('follows a history of %s', (_name, answer, expected) => {
    const m = started();
    m.history(answer);
    m.history(success);
    expect(m.last()).toMatchObject(expected);
    expect(m.ofJob().filter((e) => e.detailType.startsWith('Job'))).toHaveLength(2);
  });

  test('is asked of the history at once, then less and less often, and told unverified after half a minute', () => {
    const m = started();
    m.frame('executed', { node: '1', output: { images: [{ filename: 'a.png' }], text: ['t'] } });
    m.frame('execution_success', { timestamp: T0 });
    expect(m.polls()).toContainEqual({ kind: 'history', promptId: ID });
    const waits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      m.history();
      waits.push(Math.min(...[...m.state().jobs.values()].map((job) => job.historyDueAt ?? Infinity)) - T0);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    m.pass(30_000);
    expect(m.last()).toMatchObject({
      detailType: 'Job Completed',
      detail: { verified: false, outputCount: 2 },
    });
  });

  test('is a failure by the frame alone when the history stays unreachable', () => {
    const m = started();
    const traceback = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
    m.frame('execution_error', {
      node_id: '0',
      exception_type: 'ValueError',
      exception_message: 'é'.repeat(9000),
      traceback,
      timestamp: T0,
      current_inputs: { text: ['secret'] },
    });
    m.fail({ kind: 'history', promptId: ID }, 'unreachable');
    m.pass(30_000);
    expect(m.last()).toMatchObject({
      detailType: 'Job Failed',
      detail: { reason: 'nodeError', truncated: true },
    });
    expect((m.last().detail['traceback'] as string[]).at(-1)).toBe('line 4999');
    expect(jsonBytes(m.last().detail)).toBeLessThan(MAX_EVENT_BYTES - 4096);
    expect(JSON.stringify(m.events)).not.toContain('secret');
  });

  test('is not an ExecutionBlocked error, whose nodes Job Completed lists', () => {
    const m = started();
    m.frame('execution_error', { node_id: '1', exception_type: 'ExecutionBlocked' });
    m.pass(30_000);
    m.history(success);
    expect(m.last()).toMatchObject({ detailType: 'Job Completed', detail: { blockedNodes: ['1'] } });
  });

  test('is vanished when neither queue nor history know it in three polls over 15 s', () => {
    const m = started();
    for (let i = 0; i < 4; i += 1) {
      expect(m.only('Job Failed')).toEqual([]);
      m.queue('gone');
      expect(m.polls()).toContainEqual({ kind: 'history', promptId: ID });
      m.history();
      m.pass(5000);
    }
    expect(m.last()).toMatchObject({ detailType: 'Job Failed', detail: { reason: 'vanished' } });
  });

  test('is a cancellation when it vanished before it ran', () => {
    const m = createMonitor();
    m.queue('pending');
    for (let i = 0; i < 4; i += 1) {
      m.queue('gone');
      m.history();
      m.pass(5000);
    }
    expect(m.ofJob()).toHaveLength(1);
    expect(m.last()).toMatchObject({
      detailType: 'Job Cancelled',
      detail: { reason: 'deletedWhilePending', sequence: 1 },
    });
  });

  test.each<[string, (m: ReturnType<typeof started>) => void]>([
    ['its port refused connections', (m) => m.fail({ kind: 'queueLength' }, 'refused')],
    [
      'the queue was shorter on the new connection',
      (m) => {
        m.feed({ kind: 'socketClosed' });
        m.feed({ kind: 'socketOpened' });
        m.status(0);
      },
    ],
    [
      'the queue was shorter before the new connection was greeted',
      (m) => {
        m.feed({ kind: 'socketClosed' });
        m.feed({ kind: 'socketOpened' });
        m.queue('gone');
        m.status(0);
      },
    ],
  ])('is comfyRestarted when it is gone and %s', (_name, restart) => {
    const m = started();
    m.status(1);
    m.feed({
      kind: 'poll',
      result: { kind: 'systemStats', askedAt: T0, stats: { system: {}, devices: [] } },
    });
    m.pass(1000);
    restart(m);
    for (let i = 0; i < 2; i += 1) {
      m.pass(5000);
      m.queue('gone');
      m.history();
    }
    expect(m.last()).toMatchObject({ detailType: 'Job Failed', detail: { reason: 'comfyRestarted' } });
  });

  test('is not taken for a restart when a newer prompt is deleted, but is when a new one has a lower number', () => {
    const m = started();
    m.queue('running', chain(2), EXTRA, 9);
    m.pass(5000);
    m.queue('gone');
    m.queue('running', chain(2), EXTRA, 10);
    expect(m.counts).not.toContain('comfyRestarts');
    m.queue('gone');
    m.queue('running', chain(2), EXTRA, 0);
    expect(m.counts).toContain('comfyRestarts');
  });

  test('is workerStalled when the queue calls it running and nothing moves for the stall timeout', () => {
    const m = started();
    m.pass(59_999);
    m.queue('running');
    expect(m.only('Job Failed')).toEqual([]);
    m.pass(1);
    expect(m.last()).toMatchObject({ detailType: 'Job Failed', detail: { reason: 'workerStalled' } });
    m.frame('executing', { node: '1' });
    m.history(success);
    m.pass(20 * 60_000);
    m.frame('executing', { node: '1' });
    m.history(success);
    expect(m.only('Job Completed')).toEqual([]);
  });

  test('comes after everything that was still pending', () => {
    const m = started();
    m.frame('executed', { node: '0', output: { images: [{ filename: 'a.png' }] } });
    m.frame('executing', { node: '1' });
    m.history(success);
    expect(
      m
        .ofJob()
        .map((e) => e.detailType)
        .slice(-4),
    ).toEqual(['Images Generated', 'Node Executing', 'Node Executed', 'Job Completed']);
  });

  test('is not told twice after a restart of the monitor, and sequences go on', () => {
    const resumed = {
      promptId: ID,
      jobId: 'job-1',
      attempt: 3,
      sequence: 41,
      overallPercentage: 60,
      started: true,
      terminal: false,
      executing: ['0'],
      executed: [],
    };
    const m = started([resumed]);
    m.history(success);
    expect(m.only('Job Started')).toEqual([]);
    expect(m.ofJob()[0]?.detail.sequence).toBe(42);
    const again = started([{ ...resumed, terminal: true }]);
    again.history(success);
    expect(again.ofJob()).toEqual([]);
  });
});

describe('liveness', () => {
  test('a socket that contradicts two polls 2 s apart is deaf; a matching status clears it', () => {
    const m = createMonitor();
    m.feed({ kind: 'socketOpened' });
    m.status(0);
    m.length(1);
    m.pass(1999);
    m.length(1);
    expect(m.deaf()).toBe(false);
    m.pass(1);
    m.length(1);
    expect(m.deaf()).toBe(true);
    m.status(1);
    expect(m.deaf()).toBe(false);
  });

  test('asks little while idle and only the canary while nothing answers', () => {
    const m = createMonitor();
    m.queue('gone');
    m.length(0);
    expect(m.polls()).toEqual([]);
    m.pass(5000);
    expect(m.polls()).toEqual([{ kind: 'queueLength' }]);
    m.pass(55_000);
    expect(m.polls()).toEqual([{ kind: 'queueLength' }, { kind: 'queue' }]);
    for (let i = 0; i < 3; i += 1) m.fail({ kind: 'queueLength' }, 'unreachable');
    m.pass(5000);
    expect(m.polls()).toEqual([{ kind: 'queueLength' }]);
  });

  test('sends a heartbeat on time with the state of its ComfyUI, and Monitor Stopped once', () => {
    const m = createMonitor();
    m.queue('running');
    m.fail({ kind: 'queueLength' }, 'refused');
    m.pass(3_600_000);
    const beat = m.only('Monitor Heartbeat').at(-1);
    expect(beat?.detail).toMatchObject({ state: 'unreachable', runningPromptIds: [ID] });
    m.feed({ kind: 'stop', reason: 'signal' });
    m.feed({ kind: 'stop', reason: 'signal' });
    expect(m.only('Monitor Stopped')).toHaveLength(1);
    expect(m.polls()).toEqual([]);
  });

  test('keeps its maps bounded whatever prompts are broadcast', () => {
    const m = createMonitor();
    for (let i = 0; i < 1500; i += 1) m.frame('progress_state', { prompt_id: `p${i}`, nodes: {} });
    expect(m.state().jobs.size).toBeLessThanOrEqual(512);
    expect(m.counts).toContain('jobsEvicted');
  });
});
