import { describe, expect, test } from '@jest/globals';
import { parse } from 'lossless-json';
import { CliError } from './cli-error.ts';
import { targetOf } from './target.ts';

const link = (id: string) => [id, 0];
const clip = (text: unknown, title?: string) => ({
  class_type: 'CLIPTextEncode',
  inputs: { text, clip: link('4') },
  ...(title === undefined ? {} : { _meta: { title } }),
});
const sampler = {
  class_type: 'KSampler',
  inputs: { seed: 1, steps: 20, sampler_name: 'euler', positive: link('6'), negative: link('7') },
};
const basic = { '3': sampler, '6': clip('a fox'), '7': clip('blurry', 'Bad things') };

const pathOf = (name: string, workflow: unknown): string =>
  targetOf(name, parse(JSON.stringify(workflow))).path;

describe('what a --set means', () => {
  test.each([
    ['6.inputs.text', '6.inputs.text'],
    ['6.text', '6.inputs.text'],
    ['seed', '3.inputs.seed'],
    ['sampler_name', '3.inputs.sampler_name'],
    ['prompt', '6.inputs.text'],
    ['positive', '6.inputs.text'],
    ['negative_prompt', '7.inputs.text'],
    ['bad THINGS', '7.inputs.text'],
  ])('%s is %s', (name, path) => expect(pathOf(name, basic)).toBe(path));

  test('the value that is there comes with it, its digits whole', () => {
    const workflow = parse('{"3":{"class_type":"K","inputs":{"seed":18446744073709551615}}}');
    expect(String(targetOf('seed', workflow).value)).toBe('18446744073709551615');
  });

  test('an input of that name goes before a title of that name', () => {
    const workflow = { ...basic, '8': { class_type: 'X', inputs: { a: 1 }, _meta: { title: 'seed' } } };
    expect(pathOf('seed', workflow)).toBe('3.inputs.seed');
  });

  test('a node with one value is found by its title', () => {
    const workflow = { '1': { class_type: 'PrimitiveInt', inputs: { value: 4 }, _meta: { title: 'Steps' } } };
    expect(pathOf('steps', workflow)).toBe('1.inputs.value');
  });

  test('the seed of an advanced sampler is its noise_seed', () => {
    expect(pathOf('seed', { '3': { class_type: 'A', inputs: { noise_seed: 1 } } })).toBe(
      '3.inputs.noise_seed',
    );
  });

  test('node ids may hold dots and colons', () => {
    const workflow = { '2.0.1': clip('x'), '57:8': { class_type: 'K', inputs: { seed: 1 } } };
    expect(pathOf('2.0.1.inputs.text', workflow)).toBe('2.0.1.inputs.text');
    expect(pathOf('2.0.1.text', workflow)).toBe('2.0.1.inputs.text');
    expect(pathOf('57:8.seed', workflow)).toBe('57:8.inputs.seed');
  });

  test('a whole path goes before a short one that reads the same', () => {
    const workflow = {
      a: { class_type: 'K', inputs: { x: 1 } },
      'a.inputs': { class_type: 'K', inputs: { x: 2 } },
    };
    expect(targetOf('a.inputs.x', parse(JSON.stringify(workflow))).value?.toString()).toBe('1');
  });

  test('the prompt is found behind ControlNet and guidance, whose choices are no prompts', () => {
    const workflow = {
      '3': { class_type: 'KSampler', inputs: { positive: link('10'), negative: link('10') } },
      '10': {
        class_type: 'ControlNetApplyAdvanced',
        inputs: { positive: link('11'), negative: link('7'), strength: 1 },
      },
      '11': {
        class_type: 'ConditioningSetMask',
        inputs: { conditioning: link('6'), set_cond_area: 'default', mask_mode: 'a' },
      },
      '6': clip('a fox'),
      '7': clip('blurry'),
    };
    expect(pathOf('prompt', workflow)).toBe('6.inputs.text');
    expect(pathOf('negative', workflow)).toBe('7.inputs.text');
  });

  test('the prompt is found behind a guider, and in the node that the text comes from', () => {
    const workflow = {
      '22': { class_type: 'BasicGuider', inputs: { conditioning: link('26') } },
      '26': { class_type: 'FluxGuidance', inputs: { guidance: 3.5, conditioning: link('6') } },
      '6': clip(link('40')),
      '40': { class_type: 'PrimitiveString', inputs: { value: 'a fox' } },
    };
    expect(pathOf('prompt', workflow)).toBe('40.inputs.value');
  });

  test('links in a circle end', () => {
    const workflow = { '1': { class_type: 'X', inputs: { positive: link('1') } } };
    expect(() => pathOf('prompt', workflow)).toThrow('no such input');
  });

  test('several of one name are an error that lists them', () => {
    expect(() => pathOf('text', basic)).toThrow('several; use one of 6.inputs.text, 7.inputs.text');
    const twoTexts = {
      '3': sampler,
      '6': { class_type: 'CLIPTextEncodeSDXL', inputs: { text_g: 'a', text_l: 'b' } },
    };
    expect(() => pathOf('prompt', twoTexts)).toThrow('6.inputs.text_g, 6.inputs.text_l');
  });

  test('what is not there is an error that says what is', () => {
    expect(() => pathOf('cfg', basic)).toThrow('no such input; it has 3.inputs.seed, 3.inputs.steps');
    expect(() => pathOf('cfg', basic)).toThrow(CliError);
  });

  test.each([{}, [], 'x', null, { '1': null, '2': { inputs: [] }, '3': { inputs: 'x' } }])(
    '%j has no inputs',
    (workflow) => expect(() => pathOf('seed', workflow)).toThrow('it has no inputs'),
  );

  test.each(['__proto__', 'constructor', 'toString', 'prototype'])('%s is a name like any other', (name) => {
    expect(() => targetOf(name, parse(JSON.stringify(basic)))).toThrow('no such input');
    const workflow = parse(`{"${name}":{"class_type":"K","inputs":{"${name}":1}}}`);
    expect(targetOf(name, workflow).path).toBe(`${name}.inputs.${name}`);
    expect(({} as Record<string, unknown>)['inputs']).toBeUndefined();
  });
});
