import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync, readdirSync } from 'node:fs';
import { readFrame } from './comfyui-frames.ts';
import { outcomeOfHistory, outputsOfHistory, outputsOfNode } from './comfyui-history.ts';
import { readComfyUiJson } from './comfyui-json.ts';
import { historyEntryOf, queueSchema } from './comfyui-rest.ts';

const recordings = new URL('../test/fixtures/comfyui-recordings/', import.meta.url);
type Line = {
  text?: unknown;
  raw?: string;
  http?: string;
  status?: number;
  response?: unknown;
  rawResponse?: string;
};
const linesOf = (name: string): Line[] =>
  readFileSync(new URL(name, recordings), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const names = readdirSync(recordings).filter((name) => name.endsWith('.jsonl'));

const historiesOf = (name: string) =>
  linesOf(name).flatMap((line) => {
    const id = /^GET \/history\/(.+)$/.exec(line.http ?? '')?.[1];
    if (id === undefined) return [];
    const answer = line.rawResponse === undefined ? line.response : readJson(line.rawResponse);
    return [historyEntryOf(answer, id)];
  });
const readJson = (text: string): unknown => {
  const reading = readComfyUiJson(text);
  return reading.kind === 'ok' ? reading.value : undefined;
};

describe('frames', () => {
  test.each(names)('every text frame of %s is known and valid', (name) => {
    for (const line of linesOf(name)) {
      const value = line.text ?? (line.raw === undefined ? undefined : readJson(line.raw));
      if (value !== undefined) expect(readFrame(value).kind).toBe('frame');
    }
  });

  test('unknown types are told apart from broken ones', () => {
    expect(readFrame({ type: 'crystools.monitor', data: {} })).toEqual({
      kind: 'unknown',
      type: 'crystools.monitor',
    });
    expect(readFrame({ type: '__proto__', data: {} }).kind).toBe('unknown');
    for (const broken of [
      null,
      [],
      'x',
      1,
      {},
      { type: 7 },
      { type: 'status' },
      { type: 'status', data: [] },
    ]) {
      expect(readFrame(broken).kind).toBe('invalid');
    }
  });

  test.each([
    ['executing', { node: 7, prompt_id: 'p' }],
    ['executed', { node: '9', prompt_id: null }],
    ['execution_start', {}],
    ['progress_state', { prompt_id: 'p', nodes: [] }],
    ['progress', []],
  ])('%s with %j breaks its shape', (type, data) => {
    expect(readFrame({ type, data }).kind).toBe('invalid');
  });

  test('numbers that are none read as null, never as a wrong number', () => {
    for (const value of ['3', null, Number.NaN, {}, undefined]) {
      const reading = readFrame({ type: 'progress', data: { value, max: 8, prompt_id: 'p', node: '3' } });
      expect(reading).toMatchObject({ kind: 'frame', frame: { data: { value: null, max: 8 } } });
    }
  });

  test('no JSON value makes the reader throw', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('status', 'progress_state', 'executed', 'x'),
        fc.jsonValue(),
        (type, data) => {
          readFrame({ type, data });
          readFrame(data);
        },
      ),
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('JSON as Python writes it', () => {
  test('bare NaN and Infinity read as null, in strings they stay', () => {
    const text = '{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \\" Infinity"}';
    expect(readComfyUiJson(text)).toEqual({
      kind: 'ok',
      repaired: true,
      value: { a: null, b: [null, null], c: 'NaN " Infinity' },
    });
  });

  test('a frame of tens of megabytes with a NaN in it is read, and one of backslashes and quotes refused at once', () => {
    const large = `{"text":"${'x'.repeat(32 * 1024 * 1024)}","value":NaN}`;
    expect(readComfyUiJson(large)).toMatchObject({ kind: 'ok', repaired: true, value: { value: null } });
    expect(readComfyUiJson(`NaN"${String.raw`\"`.repeat(500_000)}`).kind).toBe('invalid');
    expect(readComfyUiJson(`NaN${String.raw`\"`.repeat(500_000)}`).kind).toBe('invalid');
    expect(readComfyUiJson(`"${'\\'.repeat(1_000_000)}" NaN`).kind).toBe('invalid');
  });

  test('what JSON can say is read the same with and without a NaN beside it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = `[${JSON.stringify(value)},NaN]`;
        expect(readComfyUiJson(text)).toEqual({
          kind: 'ok',
          repaired: true,
          value: [JSON.parse(JSON.stringify(value)), null],
        });
      }),
    );
  });

  test.each(['', '{', '[NaN', 'nul', '\u0000', '"\\x"', 'NaNa', '{"a":NaN,}'])(
    '%j is refused, not thrown',
    (text) => {
      expect(readComfyUiJson(text).kind).toBe('invalid');
    },
  );
});

describe('history', () => {
  test.each([
    ['text-to-image.jsonl', 'succeeded', 1],
    ['cached-rerun.jsonl', 'succeeded', 1],
    ['batch-and-temp-preview.jsonl', 'succeeded', 4],
    ['execution-error.jsonl', 'failed', 0],
    ['out-of-memory.jsonl', 'failed', 0],
    ['interrupted.jsonl', 'interrupted', 0],
    ['socket-lost-until-end.jsonl', 'succeeded', 1],
  ] as const)('%s ended as %s with %i files', (name, outcome, files) => {
    const entry = historiesOf(name).at(-1);
    expect(outcomeOfHistory(entry).kind).toBe(outcome);
    expect(entry === undefined ? -1 : outputsOfHistory(entry).files.length).toBe(files);
  });

  test('text and animated outputs are found under every key', () => {
    const entry = historiesOf('animated-and-audio-and-text-outputs.jsonl').at(-1)!;
    const { files, texts } = outputsOfHistory(entry);
    expect(files.map(({ filename }) => filename).sort()).toEqual([
      'anim_00001_.webp',
      'apng_00001_.png',
      'clip_00001_.mp4',
      'webm_00001_.webm',
    ]);
    expect(texts).toEqual([{ nodeId: '7', outputKey: 'text', index: 0, text: 'héllo <b>world</b>' }]);
  });

  test('the last terminal message decides, whatever status_str says', () => {
    const answer = {
      p: {
        outputs: {},
        status: {
          status_str: 'success',
          completed: true,
          messages: [
            ['execution_start', {}],
            ['execution_success', {}],
            ['execution_error', { prompt_id: 'p', exception_type: 'DependencyCycleError' }],
          ],
        },
      },
    };
    expect(outcomeOfHistory(historyEntryOf(answer, 'p'))).toMatchObject({
      kind: 'failed',
      error: { exception_type: 'DependencyCycleError' },
    });
  });

  test('without a status the outputs speak, unverified', () => {
    const entry = historyEntryOf({ p: { outputs: { '9': { images: [] } }, status: null } }, 'p');
    expect(outcomeOfHistory(entry)).toEqual({ kind: 'succeeded', verified: false });
    expect(outcomeOfHistory(historyEntryOf({ p: { outputs: {}, status: null } }, 'p')).kind).toBe('failed');
  });

  test('an unknown and an unfinished prompt look alike', () => {
    expect(outcomeOfHistory(historyEntryOf({}, 'p'))).toEqual({ kind: 'unfinished' });
    expect(historyEntryOf({}, '__proto__')).toBeUndefined();
    expect(historyEntryOf(null, 'p')).toBeUndefined();
  });

  test.each([
    [null],
    [[]],
    ['text'],
    [{ images: 'x' }],
    [{ images: [1, 'x', null, { filename: 7 }, { filename: '' }, { filename: { a: 1 } }, {}] }],
    [{ text: 7 }],
    [{ animated: [true] }],
  ])('hostile output %j yields no file and no exception', (output) => {
    expect(outputsOfNode('9', output).files).toEqual([]);
  });

  test('the position in the list is the identity, also when names repeat', () => {
    const item = { filename: 'x.png', subfolder: '', type: 'output' };
    const { files } = outputsOfNode('9', { images: [item, 3, item] });
    expect(files.map(({ index }) => index)).toEqual([0, 2]);
  });
});

test('a queue with broken items keeps the good ones', () => {
  const queue = queueSchema.parse({
    queue_running: [[1, 'p1', { '1': {} }, { client_id: 'm', jobId: 'j', attempt: 2 }, ['1']], 'x', [2]],
    queue_pending: [[2, 'p2', null, 'none', []]],
  });
  expect(queue.running.map(({ promptId, extraData }) => [promptId, extraData.jobId])).toEqual([['p1', 'j']]);
  expect(queue.pending).toMatchObject([{ promptId: 'p2', workflow: {}, extraData: {} }]);
});
