/** Whatever the socket loses, repeats or shuffles, the history alone decides how a job ends. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  MAX_EVENT_BYTES,
  eventCatalogue,
  historyEntryOf,
  readComfyUiJson,
  readFrame,
} from '../../shared-types/index.ts';
import { readRecording, type Recording, type RecordingName } from '../../test/fakes/recording.ts';
import { countingIds, inputsOfLine, testSettings } from '../test-support/simulation.ts';
import { jsonBytes } from './event-size.ts';
import type { MonitorInput } from './monitor-input.ts';
import { initialState, type MonitorEvent } from './monitor-state.ts';
import { reduce } from './reduce.ts';

const NAMES: readonly RecordingName[] = [
  'model-free-fast',
  'text-to-image',
  'cached-rerun',
  'execution-error',
  'out-of-memory',
  'interrupted',
  'animated-and-audio-and-text-outputs',
  'bare-nan-in-frames',
];
const TERMINAL = new Set<string>(['Job Completed', 'Job Failed', 'Job Cancelled']);

const framesOf = (recording: Recording): MonitorInput[] => recording.socketLines.flatMap(inputsOfLine);

const finalHistory = (recording: Recording, now: number): MonitorInput => {
  const prompt = recording.prompts[0]!;
  const entry = historyEntryOf({ [prompt.promptId]: prompt.entry }, prompt.promptId);
  return { kind: 'poll', result: { kind: 'history', askedAt: now, promptId: prompt.promptId, entry } };
};

/** Reduces the inputs with the given milliseconds between them, then lets the history speak. */
const run = (
  recording: Recording,
  inputs: readonly MonitorInput[],
  gaps: readonly number[],
): MonitorEvent[] => {
  const newEventId = countingIds();
  let now = recording.epoch;
  let state = initialState(testSettings(recording.clientId), now);
  const events: MonitorEvent[] = [];
  const feed = (input: MonitorInput): void => {
    const step = reduce(state, input, now, newEventId);
    state = step.state;
    events.push(...step.events);
  };
  for (const [index, input] of inputs.entries()) {
    now += gaps[index % Math.max(1, gaps.length)] ?? 0;
    feed(input);
  }
  feed(finalHistory(recording, now));
  feed(finalHistory(recording, now));
  return events;
};

const terminalOf = (events: readonly MonitorEvent[]): unknown => {
  const terminals = events.filter((event) => TERMINAL.has(event.detailType));
  expect(terminals).toHaveLength(1);
  expect(events.filter((event) => event.detail.jobId !== null).at(-1)).toBe(terminals[0]);
  const { detailType, detail } = terminals[0]!;
  return { detailType, reason: detail['reason'], outputCount: detail['outputCount'] };
};

const expectSound = (events: readonly MonitorEvent[]): void => {
  const ofJob = events.filter((event) => event.detail.jobId !== null);
  expect(ofJob.map((event) => event.detail.sequence)).toEqual(ofJob.map((_, index) => index + 1));
  let share = 0;
  const seen = new Set<string>();
  for (const { detailType, detail } of events) {
    expect(eventCatalogue[detailType].schema.safeParse(detail).error).toBeUndefined();
    expect(jsonBytes(detail)).toBeLessThan(MAX_EVENT_BYTES);
    if (detailType === 'Node Progress Update') {
      expect(detail.overallPercentage).toBeGreaterThanOrEqual(share);
      expect(detail.overallPercentage).toBeLessThan(100);
      expect(detail.completedNodes).toBeLessThanOrEqual(detail.totalNodes);
      share = detail.overallPercentage;
    }
    if (detailType === 'Node Executing' || detailType === 'Node Executed') {
      for (const node of detail.nodes) {
        expect(seen).not.toContain(`${detailType} ${node.nodeId}`);
        seen.add(`${detailType} ${node.nodeId}`);
      }
    }
  }
};

describe.each(NAMES)('the frames of %s', (name) => {
  const recording = readRecording(name);
  const frames = framesOf(recording);
  const expected = terminalOf(run(recording, frames, [1]));
  // In all less than the half minute after which the frames' own word has to do without a history.
  const longest = Math.floor(29_000 / (frames.length * 2));
  const gaps = fc.array(fc.integer({ min: 0, max: longest }), { minLength: 1, maxLength: 8 });

  test('cut off anywhere, thinned, doubled and shuffled, lead to the same end', () => {
    const index = fc.integer({ min: 0, max: frames.length - 1 });
    const picks = fc.oneof(
      index.map((end) => frames.slice(0, end)),
      fc.shuffledSubarray(frames),
      fc.array(index, { maxLength: frames.length * 2 }).map((list) => list.map((i) => frames[i]!)),
    );
    fc.assert(
      fc.property(picks, gaps, (inputs, pauses) => {
        const events = run(recording, inputs, pauses);
        expectSound(events);
        expect(terminalOf(events)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});

const promptId = readRecording('text-to-image').prompts[0]!.promptId;
const badId = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  '',
  '3',
  '2.0.0.1',
  'x'.repeat(600),
  'a\u202eb',
);
const badNumber = fc.constantFrom(
  -1,
  null,
  '3',
  Infinity,
  -Infinity,
  5,
  0,
  99,
  Number.MAX_SAFE_INTEGER,
  undefined,
);
const badNode = fc.record({
  value: badNumber,
  max: badNumber,
  state: fc.constantFrom('running', 'finished', 'error', 'pending', 7),
  node_id: badId,
  display_node_id: fc.oneof(badId, fc.constant(null)),
});
const badFrame = fc.oneof(
  fc.record({
    type: fc.constant('progress_state'),
    data: fc.record({
      prompt_id: fc.constant(promptId),
      nodes: fc.array(fc.tuple(badId, badNode), { maxLength: 6 }).map((list) => Object.fromEntries(list)),
    }),
  }),
  fc.record({
    type: fc.constantFrom('progress', 'executing', 'executed', 'execution_error', 'execution_cached'),
    data: fc.record({
      prompt_id: fc.constantFrom(promptId, null, 'None', 'x'.repeat(1000), 'someone-elses'),
      node: fc.oneof(badId, fc.constant(3)),
      node_id: badId,
      nodes: fc.array(badId),
      value: badNumber,
      max: badNumber,
      exception_type: fc.constantFrom('ExecutionBlocked', 7),
      output: fc.constantFrom(
        null,
        'x',
        { images: 3 },
        { images: ['a', 1, null, { filename: 7 }, { filename: 'ok.png' }] },
      ),
    }),
  }),
  fc.anything(),
);

describe('hostile frames', () => {
  test('between good ones change neither the outcome nor the soundness of what is published', () => {
    const recording = readRecording('text-to-image');
    const good = framesOf(recording);
    const expected = terminalOf(run(recording, good, [1]));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length), badFrame), { maxLength: 30 }), (bad) => {
        const inputs = [...good];
        for (const [at, value] of bad) {
          const json = readComfyUiJson(JSON.stringify(value) ?? 'null');
          const reading = json.kind === 'ok' ? readFrame(json.value) : json;
          if (reading.kind === 'frame') inputs.splice(at, 0, { kind: 'frame', frame: reading.frame });
        }
        const events = run(recording, inputs, [7]);
        expectSound(events);
        expect(terminalOf(events)).toEqual(expected);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
        expect(JSON.stringify(events)).not.toContain('someone-elses');
      }),
      { numRuns: 150 },
    );
  });
});
