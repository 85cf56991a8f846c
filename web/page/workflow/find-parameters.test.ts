import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { findParameters, type Parameter } from './find-parameters.ts';
import {
  addressOf,
  allValid,
  fileInputs,
  filledWorkflow,
  readTyped,
  shownValue,
  withTyped,
} from './form-values.ts';

const read = (name: string): string =>
  readFileSync(new URL(`./examples/${name}.json`, import.meta.url), 'utf8');
const textToImage = read('text_to_image_v1');
const mainOf = (workflow: unknown): Record<string, Parameter> =>
  Object.fromEntries(findParameters(JSON.stringify(workflow)).main.map((one) => [one.id, one]));
const node = (class_type: string, inputs: Record<string, unknown>, title?: string) => ({
  class_type,
  inputs,
  ...(title !== undefined && { _meta: { title } }),
});

describe('the parameters of a workflow', () => {
  test('of the first example, the prompt first', () => {
    const { main } = findParameters(textToImage);
    expect(main.map(({ id, kind, raw }) => [id, kind, raw])).toEqual([
      ['positive', 'longText', '"beautiful scenery nature glass bottle landscape, , purple galaxy bottle,"'],
      ['negative', 'longText', '"text, watermark"'],
      ['seed', 'seed', '46588125086418'],
      ['ckpt_name', 'text', '"flux1-dev-fp8.safetensors"'],
      ['steps', 'whole', '20'],
      ['cfg', 'number', '8'],
      ['width', 'whole', '512'],
      ['height', 'whole', '512'],
      ['batch_size', 'whole', '1'],
      ['denoise', 'number', '1'],
      ['sampler_name', 'text', '"euler"'],
      ['scheduler', 'text', '"normal"'],
    ]);
  });

  test('a prompt behind a ControlNet, a guider and a text node is found', () => {
    const { positive } = mainOf({
      a: node('SamplerCustomAdvanced', { guider: ['b', 0] }),
      b: node('BasicGuider', { conditioning: ['c', 0] }),
      c: node('FluxGuidance', { conditioning: ['d', 0], guidance: 3.5 }),
      d: node('CLIPTextEncode', { text: ['e', 0] }),
      e: node('PrimitiveString', { value: 'here' }),
    });
    expect(positive!.paths).toEqual([['e', 'inputs', 'value']]);
  });

  test('a circle of links ends', () => {
    const circle = { a: node('KSampler', { positive: ['b', 0] }), b: node('X', { conditioning: ['b', 0] }) };
    expect(mainOf(circle)).toEqual({});
  });

  test('two samplers with prompts of their own get a field each, one shared prompt gets one', () => {
    const shared = {
      p: node('CLIPTextEncode', { text: 'x' }),
      a: node('K', { positive: ['p', 0] }),
      b: node('K', { positive: ['p', 0] }),
    };
    expect(Object.keys(mainOf(shared))).toEqual(['positive']);
    const own = {
      ...shared,
      q: node('CLIPTextEncode', { text: 'y' }, 'Detail'),
      b: node('K', { positive: ['q', 0] }),
    };
    expect(Object.values(mainOf(own)).map(({ label }) => label)).toEqual([
      'Prompt · CLIPTextEncode p',
      'Prompt · Detail q',
    ]);
  });

  test('a seed keeps all its digits, goes to all samplers, and a linked one is left alone', () => {
    const text =
      '{"1":{"class_type":"K","inputs":{"seed":18446744073709551615}},"2":{"class_type":"K","inputs":{"noise_seed":2.0}},"3":{"class_type":"K","inputs":{"seed":["1",0]}}}';
    const form = findParameters(text);
    const seed = form.main.find(({ id }) => id === 'seed')!;
    expect(shownValue(seed, {})).toBe('18446744073709551615');
    expect(filledWorkflow(text, form, withTyped({}, seed, '9007199254740993'))).toBe(
      text.replace('18446744073709551615', '9007199254740993').replace('2.0', '9007199254740993'),
    );
  });

  test('a picture to load is a file field; what was uploaded goes into inputs by address', () => {
    const main = mainOf({ '12:3': node('LoadImage', { image: 'a.png', upload: 'image' }, 'Start') });
    const file = main['file.12:3.image']!;
    expect(file).toMatchObject({ kind: 'image', label: 'Start · image' });
    const address = addressOf(file.paths[0]);
    expect(fileInputs({ [address]: { fileId: 'f', name: 'n' } })).toEqual({
      '12:3.inputs.image': { file_id: 'f' },
    });
  });

  test('a stored workflow shows the parameters that were named, and only those', () => {
    const named = {
      style: '6.inputs.text',
      gone: '99.inputs.x',
      both: ['5.inputs.width', '5.inputs.height'],
    };
    const { main } = findParameters(textToImage, named);
    expect(main.map(({ label, paths }) => [label, paths.length])).toEqual([
      ['style', 1],
      ['both', 2],
    ]);
  });

  test('every plain input is listed by node with its title; links are not', () => {
    const { nodes } = findParameters(
      JSON.stringify({ 1: node('KSampler', { model: ['2', 0], steps: 1, tiled: true }, 'My sampler') }),
    );
    expect(nodes).toMatchObject([
      { title: 'My sampler', inputs: [{ label: 'steps' }, { label: 'tiled', kind: 'boolean' }] },
    ]);
  });

  test.each([
    '',
    'null',
    '[]',
    '{',
    '"x"',
    '{"1":null}',
    '{"1":{"inputs":[]}}',
    '{"__proto__":{"inputs":{"seed":1}}}',
  ])('%j has none and is not thrown over', (text) =>
    expect(findParameters(text).main.filter(({ id }) => id !== 'seed')).toEqual([]),
  );

  test('two thousand nodes with long texts are read in one go', () => {
    const many = Object.fromEntries(
      Array.from({ length: 2000 }, (_, n) => [
        String(n),
        node('CLIPTextEncode', { text: 'x'.repeat(400), seed: n }),
      ]),
    );
    expect(findParameters(JSON.stringify(many)).nodes).toHaveLength(2000);
  });
});

describe('what is typed', () => {
  test('nothing typed, nothing changed', () => {
    const form = findParameters(textToImage);
    expect(filledWorkflow(textToImage, form, {})).toBe(textToImage);
    expect(allValid(form, {})).toBe(true);
  });

  test('quotes and line ends of a prompt are escaped, and nothing else moves', () => {
    const form = findParameters(textToImage);
    const typed = withTyped({}, form.main[0]!, 'a "quoted" lamp\n');
    const nodes = JSON.parse(filledWorkflow(textToImage, form, typed)) as Record<
      string,
      { inputs: { text?: string } }
    >;
    expect(nodes['6']!.inputs.text).toBe('a "quoted" lamp\n');
    expect(nodes['7']!.inputs.text).toBe('text, watermark');
  });

  test('one wrong value is enough to say no', () => {
    const form = findParameters(textToImage);
    const steps = form.main.find(({ id }) => id === 'steps')!;
    for (const wrong of ['', '-1', '1.5', 'x', '1e3'])
      expect(allValid(form, withTyped({}, steps, wrong))).toBe(false);
  });

  test.each([
    ['number', '-1.5e3', '-1.5e3'],
    ['number', '.5', undefined],
    ['number', 'NaN', undefined],
    ['whole', '007', undefined],
    ['boolean', 'true', 'true'],
    ['boolean', 'yes', undefined],
    ['json', '{"a":[1]}', '{"a":[1]}'],
    ['json', '{a}', undefined],
    ['text', '"', '"\\""'],
  ] as const)('%s %j is read as %j', (kind, typed, raw) => expect(readTyped(kind, typed)).toBe(raw));
});
