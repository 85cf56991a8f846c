/** Whatever the socket loses, repeats or shuffles, the history alone decides how a job ends. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  MAX_EVENT_BYTES,
  eventCatalogue,
  historyEntryOf,
  outputsOfHistory,
  readComfyUiJson,
  readFrame,
  type HistoryEntry,
  type OutputFile,
} from '../../shared-types/index.ts';
import {
  readRecording,
  type RecordedPrompt,
  type Recording,
  type RecordingName,
} from '../../test/fakes/recording.ts';
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
  'reconnect-mid-run',
  'socket-lost-until-end',
  'batch-and-temp-preview',
  'queued-two-then-cancel-second',
  'delete-pending',
];
const TERMINAL = new Set<string>(['Job Completed', 'Job Failed', 'Job Cancelled']);

const framesOf = (recording: Recording): MonitorInput[] => recording.socketLines.flatMap(inputsOfLine);

/** The prompts that a history tells of; one deleted while it was pending leaves none. */
const endedPrompts = (recording: Recording): RecordedPrompt[] =>
  recording.prompts.filter((prompt) => prompt.clientId === recording.clientId && prompt.entry !== undefined);

const entryOf = ({ promptId, entry }: RecordedPrompt): HistoryEntry | undefined =>
  historyEntryOf({ [promptId]: entry }, promptId);

const finalHistories = (recording: Recording, now: number): MonitorInput[] =>
  endedPrompts(recording).map((prompt) => ({
    kind: 'poll',
    result: { kind: 'history', askedAt: now, promptId: prompt.promptId, entry: entryOf(prompt) },
  }));

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
  for (let twice = 0; twice < 2; twice += 1) for (const input of finalHistories(recording, now)) feed(input);
  return events;
};

/** What differs from one hearing of the same events to another. */
const VARYING = ['eventId', 'timestamp', 'sequence'];
/** Whoever invents nodes is believed: a node that no workflow names may have been expanded from one. */
const OF_NODES = ['completedNodes', 'cachedNodes', 'totalNodes', 'blockedNodes'];

const terminalsOf = (
  recording: Recording,
  events: readonly MonitorEvent[],
  without: readonly string[] = VARYING,
): unknown[] =>
  endedPrompts(recording).map(({ promptId }) => {
    const ofPrompt = events.filter((event) => event.detail.promptId === promptId);
    const terminals = ofPrompt.filter((event) => TERMINAL.has(event.detailType));
    expect(terminals).toHaveLength(1);
    expect(ofPrompt.at(-1)).toBe(terminals[0]);
    const { detailType, detail } = terminals[0]!;
    return [detailType, Object.fromEntries(Object.entries(detail).filter(([key]) => !without.includes(key)))];
  });

const fileKey = ({ nodeId, outputKey, filename, subfolder, type }: OutputFile): string =>
  JSON.stringify([nodeId, outputKey, filename, subfolder, type]);

/** No file is announced that the history does not hold, and none twice. */
const expectOutputsOfHistory = (recording: Recording, events: readonly MonitorEvent[]): void => {
  for (const prompt of endedPrompts(recording)) {
    const entry = entryOf(prompt);
    const held = entry === undefined ? [] : outputsOfHistory(entry).files.map(fileKey);
    const announced = events.flatMap(({ detailType, detail }) =>
      detailType === 'Images Generated' && detail.promptId === prompt.promptId
        ? detail.images.map(fileKey)
        : [],
    );
    expect(held).toEqual(expect.arrayContaining(announced));
    expect(new Set(announced).size).toBe(announced.length);
  }
};

const expectSoundJob = (ofJob: readonly MonitorEvent[]): void => {
  expect(ofJob.map((event) => event.detail.sequence)).toEqual(ofJob.map((_, index) => index + 1));
  let share = 0;
  const seen = new Set<string>();
  for (const { detailType, detail } of ofJob) {
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

const expectSound = (events: readonly MonitorEvent[]): void => {
  for (const { detailType, detail } of events) {
    expect(eventCatalogue[detailType].schema.safeParse(detail).error).toBeUndefined();
    expect(jsonBytes(detail)).toBeLessThan(MAX_EVENT_BYTES);
  }
  const jobIds = new Set(events.flatMap((event) => event.detail.jobId ?? []));
  for (const jobId of jobIds) expectSoundJob(events.filter((event) => event.detail.jobId === jobId));
};

describe.each(NAMES)('the frames of %s', (name) => {
  const recording = readRecording(name);
  const frames = framesOf(recording);
  const expected = terminalsOf(recording, run(recording, frames, [1]));
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
        expectOutputsOfHistory(recording, events);
        expect(terminalsOf(recording, events)).toEqual(expected);
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
    const besideNodes = [...VARYING, ...OF_NODES];
    const good = framesOf(recording);
    const expected = terminalsOf(recording, run(recording, good, [1]), besideNodes);
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
        expect(terminalsOf(recording, events, besideNodes)).toEqual(expected);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
        expect(JSON.stringify(events)).not.toContain('someone-elses');
      }),
      { numRuns: 75 },
    );
  });
});
