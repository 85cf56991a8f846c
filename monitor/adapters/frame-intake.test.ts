import { describe, expect, test } from '@jest/globals';
import { createFrameGuard } from './frame-guard.ts';
import { createFrameIntake } from './frame-intake.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const silent = { warn: () => undefined };
const intakeOf = (metrics: Metrics) => createFrameIntake(metrics, createFrameGuard(metrics, silent));

const state = (promptId: string, done: number, size = 200): Buffer => {
  const node = (i: number) => ({
    value: 1,
    max: 1,
    state: i < done ? 'finished' : 'running',
    node_id: String(i),
  });
  const nodes = Object.fromEntries(Array.from({ length: size }, (_, i) => [String(i), node(i)]));
  const text = JSON.stringify({ type: 'progress_state', data: { prompt_id: promptId, nodes } });
  return Buffer.from(text.replaceAll('":', '": ').replaceAll(',"', ', "'));
};
const success = Buffer.from('{"type": "execution_success", "data": {"prompt_id": "p", "timestamp": 1}}');
const executing = Buffer.from('{"type": "executing", "data": {"node": "1", "prompt_id": "p"}}');
const finishedIn = (inputs: readonly unknown[]): number[] =>
  inputs.flatMap((input) => {
    const { frame } = input as {
      frame: { type: string; data: { nodes: Record<string, { state: string }> } };
    };
    return frame.type === 'progress_state'
      ? [Object.values(frame.data.nodes).filter((n) => n.state === 'finished').length]
      : [];
  });

describe('large progress frames', () => {
  test('are parsed once in an interval: the first at once, the latest at its end', () => {
    const metrics = createMetrics();
    const intake = intakeOf(metrics);
    expect(finishedIn(intake.read(state('p', 1), false, 0))).toEqual([1]);
    for (let n = 2; n <= 50; n += 1) expect(intake.read(state('p', n), false, n)).toEqual([]);
    expect(intake.release(249)).toEqual([]);
    expect(intake.dueAt()).toBe(250);
    expect(finishedIn(intake.release(250))).toEqual([50]);
    expect(intake.dueAt()).toBe(Infinity);
    expect(metrics.value('frames_coalesced_total')).toBe(48);
  });

  test('are told before the frame that ends their prompt, and before those of another prompt', () => {
    const intake = intakeOf(createMetrics());
    intake.read(state('p', 1), false, 0);
    intake.read(state('p', 2), false, 1);
    expect(intake.read(executing, false, 2)).toHaveLength(1);
    expect(finishedIn(intake.read(success, false, 3))).toEqual([2]);
    intake.read(state('p', 3), false, 4);
    expect(finishedIn(intake.read(state('q', 7), false, 5))).toEqual([3, 7]);
  });

  test('do not hold small ones back', () => {
    const intake = intakeOf(createMetrics());
    for (let n = 0; n < 3; n += 1) expect(intake.read(state('p', n, 3), false, n)).toHaveLength(1);
  });
});

test.each<[string, Buffer, boolean]>([
  ['an empty text', Buffer.alloc(0), false],
  ['half a frame', Buffer.from('{"type": "progress_state", "data": {"prompt_id": "p", "nodes": {'), false],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x80]), false],
  ['a BOM', Buffer.from('\ufeff{}'), false],
  ['an array as data', Buffer.from('{"type":"executing","data":[]}'), false],
  ['a text as data', Buffer.from('{"type":"executing","data":"x"}'), false],
  ['no data', Buffer.from('{"type":"executing"}'), false],
  ['null', Buffer.from('null'), false],
  ['a list', Buffer.from('[]'), false],
  ['a word', Buffer.from('"x"'), false],
  ['a number', Buffer.from('1'), false],
  ['a bare NaN', Buffer.from('NaN'), false],
  ['a number as type', Buffer.from('{"type":7,"data":{}}'), false],
  ['a hundred thousand brackets', Buffer.from('['.repeat(100_000)), false],
  ['a number as node', Buffer.from('{"type":"executing","data":{"node":3,"prompt_id":"p"}}'), false],
  [
    'a megabyte as prompt',
    Buffer.from(`{"type":"execution_start","data":{"prompt_id":"${'x'.repeat(1e6)}"}}`),
    false,
  ],
  [
    'no prompt where there must be one',
    Buffer.from('{"type":"execution_start","data":{"prompt_id":null}}'),
    false,
  ],
  ['a list as nodes', Buffer.from('{"type":"progress_state","data":{"prompt_id":"p","nodes":[1]}}'), false],
])('%s is counted and skipped', (_name, data, isBinary) => {
  const metrics = createMetrics();
  expect(intakeOf(metrics).read(data, isBinary, 0)).toEqual([]);
  expect(metrics.value('frames_invalid_total')).toBe(1);
});

test.each<[string, string]>([
  ['a type that nobody knows', '{"type":"assets.seed.started","data":[1,2]}'],
  ['a type that objects have', '{"type":"constructor","data":{}}'],
  ['a type that changes objects', '{"type":"__proto__","data":{"polluted":true}}'],
])('%s is counted as another and skipped', (_name, text) => {
  const metrics = createMetrics();
  expect(intakeOf(metrics).read(Buffer.from(text), false, 0)).toEqual([]);
  expect([metrics.value('frames_invalid_total'), metrics.value('frames_total')]).toEqual([0, 1]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each<[string, string, object]>([
  [
    'a key that stands twice counts as it stands last',
    '{"type":"executing","data":{"node":"1","node":"2","prompt_id":"p"}}',
    { node: '2' },
  ],
  ['half a character', '{"type":"executing","data":{"node":"\\ud800","prompt_id":"p"}}', { node: '\ud800' }],
  [
    'an output that is null',
    '{"type":"executed","data":{"node":"1","output":null,"prompt_id":"p"}}',
    { output: null },
  ],
  [
    'a prompt that is the word None',
    '{"type":"executing","data":{"node":null,"prompt_id":"None"}}',
    { prompt_id: 'None' },
  ],
  [
    'numbers beyond all numbers',
    '{"type":"progress","data":{"value":1e309,"max":"3","node":"1","prompt_id":"p"}}',
    { value: null, max: null },
  ],
])('%s is read', (_name, text, data) => {
  expect(intakeOf(createMetrics()).read(Buffer.from(text), false, 0)).toMatchObject([{ frame: { data } }]);
});

test('NaN and Infinity are read as null and counted', () => {
  const metrics = createMetrics();
  const frame =
    '{"type": "progress", "data": {"value": NaN, "max": -Infinity, "prompt_id": "p", "node": "1"}}';
  expect(intakeOf(metrics).read(Buffer.from(frame), false, 0)).toMatchObject([
    { kind: 'frame', frame: { data: { value: null, max: null } } },
  ]);
  expect(metrics.value('frames_repaired_total')).toBe(1);
});

describe('binary frames', () => {
  const read = (...bytes: (number | Buffer)[]): unknown => {
    const data = Buffer.concat(bytes.map((b) => (typeof b === 'number' ? Buffer.from([0, 0, 0, b]) : b)));
    return intakeOf(createMetrics()).read(data, true, 0)[0];
  };
  const metadata = Buffer.from('{"node_id":"3","prompt_id":"p","image_type":"image/png"}');
  test.each<[string, unknown, object]>([
    ['a JPEG preview', read(1, 1, Buffer.from('x')), { kind: 'preview', imageType: 'image/jpeg' }],
    ['a preview of format 99', read(1, 99), { kind: 'invalid' }],
    ['text', read(3, 1, Buffer.from('7hello')), { kind: 'text', nodeId: '7' }],
    [
      'a preview with metadata',
      read(4, metadata.length, metadata),
      { kind: 'previewWithMetadata', promptId: 'p', nodeId: '3' },
    ],
    ['metadata that is no JSON', read(4, 2, Buffer.from('{x')), { kind: 'invalid' }],
    ['a lying length', read(4, Buffer.from([0xff, 0xff, 0xff, 0xff])), { kind: 'invalid' }],
    ['an unknown event', read(5), { kind: 'unknown', event: 5 }],
    ['no bytes', read(), { kind: 'invalid' }],
    ['three bytes', read(Buffer.alloc(3)), { kind: 'invalid' }],
  ])('%s', (_name, input, frame) => {
    expect(input).toMatchObject({ kind: 'binary', frame });
  });
});

describe('the picture of a preview', () => {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const head = Buffer.from('{"node_id":"3","prompt_id":"p"}');
  const image = Buffer.from([0xff, 0xd8, 0xff, 7]);
  const taken = (...parts: readonly Buffer[]): [string, string][] => {
    const metrics = createMetrics();
    const pictures: [string, string][] = [];
    const intake = createFrameIntake(
      metrics,
      createFrameGuard(metrics, silent),
      undefined,
      (frame, picture) => pictures.push([frame.kind, picture.toString('hex')]),
    );
    intake.read(Buffer.concat(parts), true, 0);
    return pictures;
  };

  test('is handed on as it came, of the old kind and of the new', () => {
    expect(taken(word(1), word(2), image)).toEqual([['preview', 'ffd8ff07']]);
    expect(taken(word(4), word(head.length), head, image)).toEqual([['previewWithMetadata', 'ffd8ff07']]);
    expect(taken(word(4), word(head.length), head)).toEqual([['previewWithMetadata', '']]);
  });

  test.each<[string, readonly Buffer[]]>([
    ['no bytes', []],
    ['seven bytes', [word(4), Buffer.alloc(3)]],
    ['a length of 0xFFFFFFFF', [word(4), word(0xffffffff), head, image]],
    ['a length beyond the frame', [word(4), word(head.length + 99), head, image]],
    ['metadata that is no JSON', [word(4), word(2), Buffer.from('{x'), image]],
    ['format 99', [word(1), word(99), image]],
    ['no format', [word(1)]],
    ['an unknown event', [word(0x80000000), image]],
    ['text', [word(3), word(1), Buffer.from('7hello')]],
  ])('is not there in a frame with %s', (_name, parts) => {
    expect(taken(...parts)).toEqual([]);
  });
});
