import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { catalogueHash, digestObjectInfo, modelsOf, parseCatalogue, type Catalogue } from './catalogue.ts';
import { catalogueOf } from './test-support/readings.ts';

const textOf = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const recorded = textOf('../../../test/fixtures/comfyui-recordings/object-info.json');
const demo = textOf('../../../demo/comfyui/object-info.json');

const info = (required: object, rest: object = {}): object => ({
  A: { input: { required }, output: ['IMAGE'], output_node: false, ...rest },
});
const digest = (value: unknown): Catalogue => catalogueOf(JSON.stringify(value));
const inputsOf = (required: object): unknown => digest(info(required)).classes['A']!.required;

describe('the digest of a real /object_info', () => {
  const catalogue = catalogueOf(recorded);

  test('has every class', () => {
    expect(Object.keys(catalogue.classes)).toHaveLength(355);
    expect(catalogue.classes['SaveImage']).toEqual({
      outputNode: true,
      required: { images: { type: 'IMAGE' }, filename_prefix: { type: 'STRING', hasDefault: true } },
      optional: {},
      outputs: [],
    });
    expect(catalogue.classes['CheckpointLoaderSimple']).toEqual({
      outputNode: false,
      required: { ckpt_name: { type: 'COMBO', options: ['flux1-dev-fp8.safetensors'] } },
      optional: {},
      outputs: ['MODEL', 'CLIP', 'VAE'],
    });
  });

  test('keeps the bounds of a 64-bit seed to the last digit', () => {
    expect(catalogue.classes['KSampler']!.required['seed']).toEqual({
      type: 'INT',
      min: '0',
      max: '18446744073709551615',
      hasDefault: true,
    });
  });

  test('knows both forms of choices, and leaves uploads without values', () => {
    const { required } = catalogue.classes['SaveVideo']!;
    expect(required['format']).toEqual({ type: 'COMBO', options: ['auto', 'mp4'], hasDefault: true });
    expect(catalogue.classes['KSampler']!.required['scheduler']!.options).toContain('karras');
    for (const [name, input] of [
      ['LoadImage', 'image'],
      ['LoadImageOutput', 'image'],
      ['LoadAudio', 'audio'],
      ['LoadVideo', 'file'],
      ['Load3D', 'model_file'],
    ] as const) {
      expect(catalogue.classes[name]!.required[input]).toEqual({ type: 'COMBO', upload: true });
    }
  });

  test('survives being stored, is far smaller, and lists the models', () => {
    const stored = JSON.stringify(catalogue);
    expect(stored.length).toBeLessThan(recorded.length);
    expect(parseCatalogue(JSON.parse(stored))).toEqual({ kind: 'ok', catalogue });
    expect(modelsOf(catalogue)).toContain('flux1-dev-fp8.safetensors');
    expect(modelsOf(catalogueOf(demo))).toContain('flux1-dev-fp8.safetensors');
  });
});

describe('inputs', () => {
  test.each<[string, unknown, object]>([
    ['a choice in the old form', [['a', 1, true, null]], { type: 'COMBO', options: ['a', 1, true, null] }],
    ['a choice in the new form', ['COMBO', { options: ['a'] }], { type: 'COMBO', options: ['a'] }],
    ['a choice without options', ['COMBO', {}], { type: 'COMBO' }],
    [
      'a remote choice',
      ['COMBO', { remote: { route: '/x' }, options: [] }],
      { type: 'COMBO', dynamic: true },
    ],
    ['many of a choice', ['COMBO', { multiselect: true, options: ['a'] }], { type: 'COMBO', dynamic: true }],
    ['an animated upload', [['a.webp'], { animated_image_upload: true }], { type: 'COMBO', upload: true }],
    ['folders of jobs', [['5e0a4b3c-8d0f-4f5e-9a43-6c7b1e2d3f40'], {}], { type: 'COMBO' }],
    ['a folder of images', [['a'], { image_folder: 'output' }], { type: 'COMBO', upload: true }],
    ['no upload', [['a'], { image_upload: false }], { type: 'COMBO', options: ['a'] }],
    ['files that come and go', [['x.latent', 'y.latent']], { type: 'COMBO' }],
    [
      'a growing input',
      ['COMFY_AUTOGROW_V3', { template: {} }],
      { type: 'COMFY_AUTOGROW_V3', dynamic: true },
    ],
    ['any type that matches', ['COMFY_MATCHTYPE_V3', {}], { type: '*' }],
    ['alternatives', ['IMAGE,MASK', {}], { type: 'IMAGE,MASK' }],
    ['options that are objects', [[{ a: 1 }]], { type: 'COMBO' }],
    ['an endless option', [['x'.repeat(2000)]], { type: 'COMBO' }],
    [
      'bounds',
      ['INT', { min: -3, max: 7.5, default: null }],
      { type: 'INT', min: '-3', max: '7.5', hasDefault: true },
    ],
    ['bounds that are no numbers', ['INT', { min: 'low', max: null }], { type: 'INT' }],
    ['nothing', null, { type: '*' }],
    ['a bare type', 'INT', { type: '*' }],
    ['an empty list', [], { type: '*' }],
    ['a number', 7, { type: '*' }],
  ])('%s', (_name, spec, expected) => {
    expect(inputsOf({ x: spec })).toEqual({ x: expected });
  });

  test('a list of more than twenty thousand choices is left unchecked', () => {
    const choices = (length: number): unknown =>
      inputsOf({ x: [Array.from({ length }, (_, at) => `v${at}`)] });
    expect(choices(20_000)).toMatchObject({ x: { options: expect.any(Array) as unknown } });
    expect(choices(20_001)).toEqual({ x: { type: 'COMBO' } });
  });

  test('outputs that are lists of choices, or nothing readable', () => {
    const outputs = (output: unknown): unknown => digest(info({}, { output })).classes['A']!.outputs;
    expect(outputs(['IMAGE', ['a', 'b'], 7])).toEqual(['IMAGE', 'COMBO', '*']);
    expect(outputs('IMAGE')).toBeNull();
    expect(outputs(undefined)).toBeNull();
  });
});

describe('what Python writes', () => {
  const text =
    '{"A":{"input":{"required":{"x":["FLOAT",{"min":-Infinity,"max":NaN,"default":Infinity}],"seed":["INT",{"min":0,"max":18446744073709551615}],"n":["INT",{"max":9}]}},"output":[]}}';

  test('bare NaN and Infinity are no bounds, and never make others inexact', () => {
    expect(catalogueOf(text).classes['A']!.required).toEqual({
      x: { type: 'FLOAT', hasDefault: true },
      // The repaired text gives doubles: a bound that one cannot hold is dropped rather than rounded.
      seed: { type: 'INT', min: '0' },
      n: { type: 'INT', max: '9' },
    });
  });
});

describe('hostile input', () => {
  test.each<[string, string]>([
    ['empty', ''],
    ['no JSON', '<html>'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['a number', '7'],
    ['truncated', '{"A":{'],
    ['no class', '{}'],
    ['no class among the entries', '{"error":"x","b":null,"c":[],"d":7,"e":{"input":[]}}'],
    ['a hundred thousand levels', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  ])('%s is refused', (_name, text) => {
    expect(digestObjectInfo(text)).toEqual({
      kind: 'invalid',
      message: expect.stringMatching(/^object_info/) as unknown,
    });
  });

  test('entries that are no classes are left out', () => {
    const catalogue = digest({ ...info({}), b: null, c: 'x', d: [1], ['x'.repeat(257)]: { input: {} } });
    expect(Object.keys(catalogue.classes)).toEqual(['A']);
  });

  test('classes and inputs named like members of the prototype stay what they are', () => {
    const text =
      '{"__proto__":{"input":{"required":{"__proto__":["INT",{"min":1}]}},"output":[]},"toString":{"input":{},"output":[]}}';
    const catalogue = catalogueOf(text);
    expect(Object.keys(catalogue.classes)).toEqual(['__proto__', 'toString']);
    expect(({} as { input?: unknown }).input).toBeUndefined();
    const stored = parseCatalogue(JSON.parse(JSON.stringify(catalogue)));
    expect(stored.kind === 'ok' && catalogueHash(stored.catalogue)).toBe(catalogueHash(catalogue));
    expect(JSON.stringify(catalogue)).toContain('"__proto__":{"type":"INT","min":"1"}');
  });

  test('limits of text and classes', () => {
    const many = Object.fromEntries(Array.from({ length: 4 }, (_, at) => [`c${at}`, { input: {} }]));
    const text = JSON.stringify(many);
    expect(digestObjectInfo(text, { maxClasses: 4 }).kind).toBe('ok');
    expect(digestObjectInfo(text, { maxClasses: 3 }).kind).toBe('invalid');
    expect(digestObjectInfo(text, { maxCharacters: text.length }).kind).toBe('ok');
    expect(digestObjectInfo(text, { maxCharacters: text.length - 1 }).kind).toBe('invalid');
  });

  test('no text makes the digest throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void digestObjectInfo(text)));
    fc.assert(fc.property(fc.json(), (text) => void digestObjectInfo(`{"A":${text}}`)));
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(digestObjectInfo(`{"A":{"input":{"required":{"x":${text}}}}}`).kind).toBe('ok');
      }),
    );
  });

  test('whatever was digested reads back from its JSON', () => {
    const spec = fc.oneof(
      fc.tuple(fc.string(), fc.dictionary(fc.string(), fc.jsonValue())),
      fc.tuple(fc.array(fc.jsonValue())),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), spec), fc.jsonValue(), (required, output) => {
        const catalogue = digest(info(required, { output }));
        const stored = parseCatalogue(JSON.parse(JSON.stringify(catalogue)));
        expect(stored).toEqual({ kind: 'ok', catalogue });
      }),
    );
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['no classes', {}],
    ['a class that is a text', { classes: { A: 'x' } }],
    ['no outputNode', { classes: { A: { required: {}, optional: {}, outputs: [] } } }],
    [
      'inputs that are a list',
      { classes: { A: { outputNode: true, required: [], optional: {}, outputs: [] } } },
    ],
    ['a bound that is a number', storedWith({ type: 'INT', min: 7 })],
    ['an option that is a list', storedWith({ type: 'COMBO', options: [[]] })],
    ['a flag that is false', storedWith({ type: 'INT', upload: false })],
    [
      'an output that is a number',
      { classes: { A: { outputNode: true, required: {}, optional: {}, outputs: [7] } } },
    ],
  ])('a stored catalogue with %s is refused', (_name, json) => {
    expect(parseCatalogue(json).kind).toBe('invalid');
  });
});

function storedWith(input: object): unknown {
  return { classes: { A: { outputNode: true, required: { x: input }, optional: {}, outputs: [] } } };
}

describe('the hash', () => {
  const one = { ...info({ x: [['a', 'b'], {}], y: ['INT', { min: 1 }] }), B: { input: {}, output: [] } };

  test('is that of the content, not of its order', () => {
    const other = { B: { output: [], input: {} }, ...info({ y: ['INT', { min: 1 }], x: [['b', 'a'], {}] }) };
    expect(catalogueHash(digest(one))).toMatch(/^[0-9a-f]{64}$/);
    expect(catalogueHash(digest(other))).toBe(catalogueHash(digest(one)));
  });

  test('does not change with an upload', () => {
    const withFiles = (files: string[]): string =>
      catalogueHash(digest(info({ image: [files, { image_upload: true }] })));
    expect(withFiles(['a.png'])).toBe(withFiles(['a.png', 'b.png']));
  });

  test.each<[string, object]>([
    ['a value more', info({ x: [['a', 'b', 'c'], {}], y: ['INT', { min: 1 }] })],
    ['a bound', info({ x: [['a', 'b'], {}], y: ['INT', { min: 2 }] })],
    ['a type', info({ x: [['a', 'b'], {}], y: ['FLOAT', { min: 1 }] })],
    ['a text for a number', info({ x: [['a', 'b'], {}], y: ['INT', { min: 1 }] }, { output: ['MASK'] })],
    ['an output node', info({ x: [['a', 'b'], {}], y: ['INT', { min: 1 }] }, { output_node: true })],
  ])('changes with %s', (_name, changed) => {
    const { B } = one;
    expect(catalogueHash(digest({ ...changed, B }))).not.toBe(catalogueHash(digest(one)));
  });
});

test('models are choices with the extension of one, once each, sorted', () => {
  const catalogue = digest(
    info({
      a: [['z.safetensors', 'sub\\a.CKPT', 'none', 'euler']],
      b: [
        'COMBO',
        { options: ['z.safetensors', 'u.gguf', 'e.engine', 'p.pth', 'o.onnx', 's.sft', 'b.bin', 't.pt'] },
      ],
      c: ['STRING', { default: 'x.safetensors' }],
    }),
  );
  expect(modelsOf(catalogue)).toEqual(
    [
      'z.safetensors',
      'sub\\a.CKPT',
      'u.gguf',
      'e.engine',
      'p.pth',
      'o.onnx',
      's.sft',
      'b.bin',
      't.pt',
    ].toSorted(),
  );
});
