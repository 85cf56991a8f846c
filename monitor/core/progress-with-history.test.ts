/** A job whose times are known, as the monitor tells of it. */
import { describe, expect, test } from '@jest/globals';
import { queueSchema, type DetailOf, type Frame } from '../../shared-types/index.ts';
import { countingIds, testSettings } from '../test-support/simulation.ts';
import type { MonitorInput, PollFailure } from './monitor-input.ts';
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

/** As /queue is asked. */
const POLL_MS = 5000;

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
  let lastExpected: unknown;
  const askQueue = (expected: unknown): void => {
    lastExpected = expected;
    const extra = { client_id: 'monitor-1', jobId: 'job-1', attempt: 1, expected };
    const queue = queueSchema.parse({
      queue_running: [[0, ID, WORKFLOW, extra, ['sample']]],
      queue_pending: [],
    });
    feed({ kind: 'poll', result: { kind: 'queue', askedAt: now, queue } });
  };
  /** Lets time pass, waking as often as the monitor asks to be woken, and polling through `poll`. */
  const passWith = (ms: number, poll: () => void): void => {
    const until = now + ms;
    let pollAt = now + POLL_MS;
    for (;;) {
      const wakeAt = Math.min(
        nextWakeAt(state, () => true),
        pollAt,
      );
      if (wakeAt > until) break;
      now = Math.max(now, wakeAt);
      if (wakeAt === pollAt) {
        poll();
        pollAt += POLL_MS;
      } else feed({ kind: 'tick' });
    }
    now = until;
    feed({ kind: 'tick' });
  };
  return {
    frame: (type: Frame['type'], data: object): void =>
      feed({ kind: 'frame', frame: { type, data: { prompt_id: ID, ...data } } as unknown as Frame }),
    queue: askQueue,
    socket: (kind: 'socketOpened' | 'socketClosed'): void => feed({ kind }),
    /** ComfyUI lives: it answers /queue. */
    pass: (ms: number): void => passWith(ms, () => askQueue(lastExpected)),
    /** Nothing listens any more, or nobody answers. */
    passDead: (ms: number, failure: PollFailure): void =>
      passWith(ms, () => feed({ kind: 'pollFailed', poll: { kind: 'queueLength' }, failure })),
    /** Not even a poll comes back. */
    passUnheard: (ms: number): void => passWith(ms, () => undefined),
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

type Monitor = ReturnType<typeof started>;

const overallOf = (monitor: Monitor): number => monitor.progress().at(-1)?.overallPercentage ?? Number.NaN;

/** The sampler of a loaded model, `steps` steps into it, one a second. */
const sampling = (steps: number, expected: unknown = EXPECTED): Monitor => {
  const monitor = createMonitor();
  monitor.queue(expected);
  monitor.frame('execution_start', {});
  monitor.frame('execution_cached', { nodes: ['load'] });
  monitor.frame('executing', { node: 'sample', display_node: 'sample' });
  for (let step = 1; step <= steps; step += 1) {
    monitor.pass(1000);
    monitor.frame('progress', { node: 'sample', value: step, max: 20 });
  }
  return monitor;
};

describe('a sampler that is held up', () => {
  /** Where nothing but the sampler counts, and its steps take what they should. */
  const atStep = (step: number): number => (100 * step) / 20;

  test.each([1, 3, 10, 19])('at step %d for ten minutes stays below the next step', (step) => {
    const monitor = sampling(step);
    monitor.pass(600_000);
    const reached = overallOf(monitor);
    expect(reached).toBeGreaterThan(atStep(step));
    expect(reached).toBeLessThan(atStep(step + 1));
  });

  test('is not believed where it is much shorter or longer than the history has it', () => {
    for (const ms of [500, 4000, 500_000]) {
      const expected = { ...EXPECTED, nodes: { ...EXPECTED.nodes, sample: [ms, ms / 20] } };
      const held = sampling(3, expected);
      held.pass(600_000);
      const on = sampling(4, expected);
      expect(overallOf(held)).toBeLessThanOrEqual(overallOf(on));
    }
  });

  test('has no time left to tell, until its steps go on: then what it was held up counts for nothing', () => {
    const monitor = sampling(5);
    expect(monitor.progress().at(-1)?.eta).not.toBeNull();
    monitor.pass(600_000);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
    for (let step = 6; step <= 8; step += 1) {
      monitor.pass(1000);
      monitor.frame('progress', { node: 'sample', value: step, max: 20 });
    }
    const last = monitor.progress().at(-1);
    expect(last?.overallPercentage).toBeLessThan(60);
    expect(last?.eta?.lowSeconds).toBeGreaterThan(8);
    expect(last?.eta?.highSeconds).toBeLessThan(25);
  });
});

describe('a loader that takes far longer than it should', () => {
  test('never passes nine tenths of its own weight, and has no time left to tell', () => {
    const monitor = started(EXPECTED);
    monitor.pass(3_600_000);
    expect(overallOf(monitor)).toBeGreaterThan(40);
    expect(overallOf(monitor)).toBeLessThanOrEqual(45);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
  });

  test('so does one of which nobody knows how long it takes', () => {
    const monitor = started({ nodes: { sample: [20_000, 1000] }, loads: ['load'], wall: 1 });
    monitor.pass(3_600_000);
    expect(overallOf(monitor)).toBeLessThanOrEqual(45);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
  });

  test('so does one that is said to run beside others', () => {
    const monitor = started({ ...EXPECTED, wall: 0.7 });
    monitor.pass(3_600_000);
    expect(overallOf(monitor)).toBeLessThan(70);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
  });
});

describe('a pod that dies', () => {
  test.each(['refused', 'unreachable'] as const)('freezes its job (%s)', (failure) => {
    const monitor = started(EXPECTED);
    monitor.pass(7000);
    const before = overallOf(monitor);
    monitor.socket('socketClosed');
    monitor.passDead(5000, failure);
    const frozen = overallOf(monitor);
    // What moved until the first poll failed is less than the five seconds between two of them.
    expect(frozen - before).toBeLessThan((100 * 5) / 40);
    monitor.passDead(180_000, failure);
    expect(overallOf(monitor)).toBe(frozen);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
  });

  test('without a word freezes it as well, and that it comes back lets it go on', () => {
    const monitor = started(EXPECTED);
    monitor.pass(5000);
    monitor.passUnheard(180_000);
    expect(overallOf(monitor)).toBeLessThanOrEqual((100 * 15) / 40);
    expect(monitor.progress().at(-1)?.eta).toBeNull();
    const frozen = overallOf(monitor);
    monitor.pass(20_000);
    expect(overallOf(monitor)).toBeGreaterThan(frozen);
  });
});
