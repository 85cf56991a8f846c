/** A job whose times are known, as the monitor tells of it. */
import { describe, expect, test } from '@jest/globals';
import { queueSchema, type DetailOf, type Frame } from '../../shared-types/index.ts';
import { countingIds, testSettings } from '../test-support/simulation.ts';
import type { MonitorInput } from './monitor-input.ts';
import { initialState, type MonitorEvent, type ResumedJob } from './monitor-state.ts';
import { nextWakeAt } from './poll-schedule.ts';
import { reduce } from './reduce.ts';

const T0 = Date.UTC(2026, 10, 22, 10);
const ID = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
const WORKFLOW = {
  load: { class_type: 'CheckpointLoaderSimple', inputs: {} },
  sample: { class_type: 'KSampler', inputs: { model: ['load', 0] } },
};
const EXPECTED = { nodes: { load: [20_000, 1000], sample: [20_000, 1000] }, loads: ['load'], wall: 1 };

const createMonitor = (resumed: readonly ResumedJob[] = []) => {
  const newEventId = countingIds();
  const events: MonitorEvent[] = [];
  let now = T0;
  let state = initialState(testSettings('monitor-1'), now, resumed);
  const feed = (input: MonitorInput): void => {
    const step = reduce(state, input, now, newEventId);
    state = step.state;
    events.push(...step.events);
  };
  return {
    frame: (type: Frame['type'], data: object): void =>
      feed({ kind: 'frame', frame: { type, data: { prompt_id: ID, ...data } } as unknown as Frame }),
    queue: (expected: unknown): void => {
      const extra = { client_id: 'monitor-1', jobId: 'job-1', attempt: 1, expected };
      const queue = queueSchema.parse({
        queue_running: [[0, ID, WORKFLOW, extra, ['sample']]],
        queue_pending: [],
      });
      feed({ kind: 'poll', result: { kind: 'queue', askedAt: now, queue } });
    },
    /** Lets time pass, waking as often as the monitor asks to be woken. */
    pass: (ms: number): void => {
      const until = now + ms;
      for (;;) {
        const wakeAt = nextWakeAt(state, () => true);
        if (wakeAt > until) break;
        now = Math.max(now, wakeAt);
        feed({ kind: 'tick' });
      }
      now = until;
      feed({ kind: 'tick' });
    },
    progress: (): readonly DetailOf<'Node Progress Update'>[] =>
      events.flatMap(({ detailType, detail }) => (detailType === 'Node Progress Update' ? [detail] : [])),
  };
};

const started = (expected: unknown, resumed: readonly ResumedJob[] = []) => {
  const monitor = createMonitor(resumed);
  monitor.queue(expected);
  monitor.frame('execution_start', {});
  monitor.frame('execution_cached', { nodes: [] });
  monitor.frame('executing', { node: 'load', display_node: 'load' });
  return monitor;
};

describe('a loader that says nothing for twenty seconds', () => {
  test('moves on as the time does, in no more than a report every two seconds', () => {
    const monitor = started(EXPECTED);
    monitor.pass(20_000);
    const percentages = monitor.progress().map(({ overallPercentage }) => overallPercentage);
    expect(percentages.length).toBeGreaterThan(8);
    expect(percentages.length).toBeLessThanOrEqual(12);
    expect(percentages.at(-1)).toBeGreaterThan(40);
    expect(percentages.at(-1)).toBeLessThan(55);
    const eta = monitor.progress().at(-1)?.eta;
    expect(eta?.lowSeconds).toBeLessThan(21);
    expect(eta?.highSeconds).toBeGreaterThan(19);
  });

  test.each([undefined, null, 'x', [], { nodes: { load: 'long' } }, { nodes: [], loads: 3 }])(
    'and of which nothing sensible is expected (%p) is told of once',
    (expected) => {
      const monitor = started(expected);
      monitor.pass(20_000);
      expect(monitor.progress()).toHaveLength(1);
      expect(monitor.progress()[0]).toMatchObject({ overallPercentage: 0, eta: null });
    },
  );
});

test('a monitor that was restarted reads back from /queue what is expected', () => {
  const resumed: ResumedJob = {
    promptId: ID,
    jobId: 'job-1',
    attempt: 1,
    sequence: 9,
    overallPercentage: 51,
    started: true,
    terminal: false,
    executing: ['sample'],
    executed: ['load'],
  };
  const monitor = createMonitor([resumed]);
  monitor.queue(EXPECTED);
  monitor.frame('progress', { node: 'sample', value: 1, max: 20 });
  monitor.pass(10_000);
  const last = monitor.progress().at(-1);
  expect(last?.overallPercentage).toBeGreaterThanOrEqual(51);
  expect(last?.eta?.highSeconds).toBeGreaterThan(10);
});
