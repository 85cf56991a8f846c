import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { catalogueOf, workflowOfText } from './test-support/readings.ts';
import { catalogueWith, check, errorsOf, messageOf } from './test-support/small-pod.ts';
import { validateAgainst } from './validate.ts';

const real = catalogueOf(
  readFileSync(
    new URL('../../../test/fixtures/comfyui-recordings/object-info.json', import.meta.url),
    'utf8',
  ),
);

describe('whole numbers', () => {
  const catalogue = catalogueWith({ x: ['INT', { min: 1 }] });
  const exact = catalogueOf(
    JSON.stringify({
      Node: {
        input: { required: { x: ['INT', { min: -5, max: 0 }] } },
        output: ['IMAGE'],
        output_node: true,
      },
    }).replace('"max":0', '"max":18446744073709551615'),
  );
  const seed = (text: string): readonly string[] =>
    errorsOf(validateAgainst(workflowOfText(`{"1":{"class_type":"Node","inputs":{"x":${text}}}}`), exact));

  test.each([
    '0',
    '-5',
    '18446744073709551615',
    '18446744073709551615.0e-3',
    '7.9',
    '-5.9',
    '"12"',
    '" 12 "',
    'true',
    '{"__value__":3}',
  ])('%s passes, as int() takes it', (text) => {
    expect(seed(text)).toEqual([]);
  });

  test.each([
    ['18446744073709551616', 'value_bigger_than_max'],
    ['"18446744073709551616"', 'value_bigger_than_max'],
    ['-6', 'value_smaller_than_min'],
    ['1e30', 'value_bigger_than_max'],
    ['"7.5"', 'invalid_input_type'],
    ['"x"', 'invalid_input_type'],
    ['null', 'invalid_input_type'],
    ['{}', 'invalid_input_type'],
  ])('%s is refused: %s', (text, type) => {
    expect(seed(text)).toEqual([`1: ${type}`]);
  });

  test('the message names input, value and bound', () => {
    expect(messageOf(check(catalogue, '"x":0'))).toBe(
      'node "1" ("Node"): "x" is 0, smaller than the minimum 1',
    );
  });
});

describe('fractions', () => {
  const catalogue = catalogueWith({ x: ['FLOAT', { min: 0.0, max: 1.0 }] });
  test.each([
    ['0', []],
    ['1.0', []],
    ['"0.5"', []],
    ['"nan"', []],
    ['true', []],
    ['1.0000001', ['1: value_bigger_than_max']],
    ['-1e-9', ['1: value_smaller_than_min']],
    ['"inf"', ['1: value_bigger_than_max']],
    ['"much"', ['1: invalid_input_type']],
  ])('%s gives %p', (text, errors) => {
    expect(errorsOf(check(catalogue, `"x":${text}`))).toEqual(errors);
  });
});

describe('choices', () => {
  const catalogue = catalogueWith({ x: [['euler', 'heun', 1, true, 'sub\\model.safetensors'], {}] });

  test.each([
    '"euler"',
    '1',
    '1.0',
    'true',
    '{"__value__":"heun"}',
    '"sub\\\\model.safetensors"',
    '"sub/model.safetensors"',
  ])('%s passes', (text) => {
    expect(check(catalogue, `"x":${text}`)).toEqual({ kind: 'ok' });
  });

  test.each(['"Euler"', '"1"', '2', 'null', '{}', '""'])('%s is not in the list', (text) => {
    expect(errorsOf(check(catalogue, `"x":${text}`))).toEqual(['1: value_not_in_list']);
  });

  test('a typing error is answered with what is nearest, and how many more there are', () => {
    const verdict = validateAgainst(
      workflowOfText(
        '{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":0}},"2":{"class_type":"ImageScale","inputs":{"image":["1",0],"upscale_method":"lanczo","width":8,"height":8,"crop":"disabled"}},"3":{"class_type":"PreviewImage","inputs":{"images":["2",0]}}}',
      ),
      real,
    );
    expect(messageOf(verdict)).toMatch(/"upscale_method" is "lanczo", not one of "lanczos"/);
  });

  test('a long list is cut', () => {
    const options = Array.from({ length: 400 }, (_, at) => `style-${at}.safetensors`);
    const message = messageOf(check(catalogueWith({ x: [options] }), '"x":"stile-7.safetensors"'));
    expect(message).toContain('"style-7.safetensors"');
    expect(message).toMatch(/ … and 39\d more$/);
  });

  test('an empty list has no model to choose, and may hold other files by now', () => {
    const empty = catalogueWith({ x: [[]] });
    expect(messageOf(check(empty, '"x":"a.safetensors"'))).toMatch(/nothing to choose from/);
    expect(check(empty, '"x":"a.latent"')).toEqual({ kind: 'ok' });
  });

  test.each<[string, unknown]>([
    ['an upload', [['a.png'], { image_upload: true }]],
    ['a remote choice', ['COMBO', { options: [], remote: {} }]],
    ['a choice without a list', ['COMBO', {}]],
    ['files that come and go', [['a.png']]],
    ['a dynamic choice', ['COMFY_DYNAMICCOMBO_V3', { options: [{ key: 'a', inputs: {} }] }]],
    ['text', ['STRING', {}]],
    ['a switch', ['BOOLEAN', {}]],
    ['a type of a custom node', ['BBOX', {}]],
    ['anything', ['*', {}]],
  ])('the values of %s are not compared', (_name, spec) => {
    for (const value of ['"other.png"', '7', 'null', '{}', 'true']) {
      expect(check(catalogueWith({ x: spec }), `"x":${value}`)).toEqual({ kind: 'ok' });
    }
  });
});
