/** Whatever is expected and whatever is heard: a percentage never falls, and no time is told that is no time. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  eventCatalogue,
  queueSchema,
  readComfyUiJson,
  readFrame,
  type DetailOf,
} from '../../shared-types/index.ts';
import { queueAt, readRecording } from '../../test/fakes/recording.ts';
import { countingIds, inputsOfLine, testSettings } from '../test-support/simulation.ts';
import { readExpectations } from './expectations.ts';
import type { MonitorInput } from './monitor-input.ts';
import { initialState } from './monitor-state.ts';
import { reduce } from './reduce.ts';

const recording = readRecording('text-to-image');
const frames = recording.socketLines.flatMap(inputsOfLine);
const [prompt] = recording.prompts;
const IDS = Object.keys(prompt?.workflow ?? {});

const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    NaN,
    Infinity,
    -Infinity,
    -1,
    -0,
    0,
    1e308,
    Number.MIN_VALUE,
    '12',
    null,
    undefined,
    [],
    {},
  ),
  fc.double(),
  fc.nat(1e9),
);
const time = fc.oneof(
  fc.tuple(hostile, hostile),
  fc.tuple(fc.nat(60_000), fc.nat(9000)),
  hostile,
  fc.constant([]),
);
const key = fc.oneof(
  fc.constantFrom(...IDS),
  fc.constantFrom('__proto__', 'constructor', 'KSampler', '', '2.0.0.1'),
  fc.string(),
);
const times = fc.oneof(
  fc.array(fc.tuple(key, time), { maxLength: 12 }).map((list) => Object.fromEntries(list) as unknown),
  hostile,
);
const expectations = fc.oneof(
  fc.record(
    {
      nodes: times,
      cold: times,
      classes: times,
      guesses: times,
      loads: fc.oneof(fc.array(key), fc.array(hostile), hostile),
      wall: hostile,
    },
    { requiredKeys: [] },
  ),
  hostile,
  fc.anything(),
);

const steps = fc.record({
  type: fc.constantFrom('progress', 'executing', 'executed', 'execution_cached'),
  data: fc.record({
    prompt_id: fc.constant(prompt?.promptId),
    node: key,
    nodes: fc.array(key),
    value: hostile,
    max: hostile,
    output: fc.constant(null),
  }),
});
const states = fc.record({
  type: fc.constant('progress_state'),
  data: fc.record({
    prompt_id: fc.constant(prompt?.promptId),
    nodes: fc
      .array(
        fc.tuple(
          key,
          fc.record({ value: hostile, max: hostile, state: fc.constantFrom('running', 'finished', 'error') }),
        ),
        { maxLength: 5 },
      )
      .map((list) => Object.fromEntries(list)),
  }),
});
const anyInput = fc.oneof(
  fc.nat(frames.length - 1).map((index): MonitorInput[] => [frames[index] ?? { kind: 'tick' }]),
  fc.constant<MonitorInput[]>([{ kind: 'tick' }]),
  fc.oneof(steps, states).map((value): MonitorInput[] => {
    const json = readComfyUiJson(JSON.stringify(value));
    const read = json.kind === 'ok' ? readFrame(json.value) : json;
    return read.kind === 'frame' ? [{ kind: 'frame', frame: read.frame }] : [];
  }),
);

/** /queue as a monitor reads it, `expected` among its extra_data. */
const queueWith = (expected: unknown, now: number): MonitorInput => {
  const answer = structuredClone(queueAt(recording, 1000));
  for (const item of answer['queue_running'] as unknown[][])
    item[3] = { ...(item[3] as object), client_id: recording.clientId, expected };
  const read = readComfyUiJson(JSON.stringify(answer));
  const queue = queueSchema.parse(read.kind === 'ok' ? read.value : {});
  return { kind: 'poll', result: { kind: 'queue', askedAt: now, queue } };
};

const progressOf = (
  expected: unknown,
  inputs: readonly MonitorInput[],
  gaps: readonly number[],
): readonly DetailOf<'Node Progress Update'>[] => {
  const newEventId = countingIds();
  let now = recording.epoch;
  let state = initialState(testSettings(recording.clientId), now);
  const updates: DetailOf<'Node Progress Update'>[] = [];
  for (const [index, input] of [queueWith(expected, now), ...inputs].entries()) {
    now += gaps[index % gaps.length] ?? 0;
    const step = reduce(state, input, now, newEventId);
    state = step.state;
    for (const { detailType, detail } of step.events)
      if (detailType === 'Node Progress Update') updates.push(detail);
  }
  return updates;
};

const expectSound = (updates: readonly DetailOf<'Node Progress Update'>[]): void => {
  let before = 0;
  for (const update of updates) {
    expect(eventCatalogue['Node Progress Update'].schema.safeParse(update).error).toBeUndefined();
    expect(update.overallPercentage).toBeGreaterThanOrEqual(before);
    expect(update.overallPercentage).toBeLessThan(100);
    before = update.overallPercentage;
    if (!update.eta) continue;
    expect(Number.isFinite(update.eta.highSeconds)).toBe(true);
    expect(update.eta.lowSeconds).toBeGreaterThanOrEqual(0);
    expect(update.eta.highSeconds).toBeGreaterThanOrEqual(update.eta.lowSeconds);
  }
};

const gaps = fc.array(fc.oneof(fc.nat(3000), fc.constantFrom(0, 600_000)), { minLength: 1, maxLength: 6 });

describe('progress', () => {
  test('of the recorded frames is sound under any expectations', () => {
    fc.assert(
      fc.property(expectations, gaps, (expected, pauses) => {
        expectSound(progressOf(expected, frames, pauses));
      }),
      { numRuns: 50 },
    );
  });

  test('of any frames is sound under any expectations', () => {
    let told = 0;
    fc.assert(
      fc.property(expectations, fc.array(anyInput, { maxLength: 60 }), gaps, (expected, inputs, pauses) => {
        const updates = progressOf(expected, inputs.flat(), pauses);
        told += updates.length;
        expectSound(updates);
      }),
      { numRuns: 200 },
    );
    expect(told).toBeGreaterThan(100);
  });

  test('what is read of any expectations is finite, and never an error', () => {
    fc.assert(
      fc.property(expectations, (value) => {
        const read = readExpectations(value);
        if (read === undefined) return;
        const { nodes, cold, classes, wall } = read;
        for (const { ms, deviation } of [nodes, cold, classes].flatMap((each) => [...each.values()])) {
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(deviation).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(ms + deviation)).toBe(true);
        }
        expect(wall).toBeGreaterThan(0);
        expect(Number.isFinite(wall)).toBe(true);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});
