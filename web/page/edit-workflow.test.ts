import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { workflowNodeSchema } from '../../shared-types/task-api.ts';
import { randomSeed, rawValue, readSeed, withInputs, withRawValue, workflowInputs } from './edit-workflow.ts';

const folder = new URL('./workflows/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const textToImage = read('text_to_image_v1.json');
const changes = { prompt: 'a "quoted" lamp\n', seed: '18446744073709551615' };

describe('a workflow is changed as text', () => {
  test('prompt and seed are replaced, and not one other character', () => {
    const edited = withInputs(textToImage, changes);
    expect(edited).toContain('"seed": 18446744073709551615');
    const back = withInputs(edited, {
      prompt: workflowInputs(textToImage).prompt!.text,
      seed: '46588125086418',
    });
    expect(back).toBe(textToImage);
  });

  test('the prompt goes where `positive` leads, not into the negative one', () => {
    const nodes = JSON.parse(withInputs(textToImage, changes)) as Record<
      string,
      { inputs: { text?: string } }
    >;
    expect(nodes['6']?.inputs.text).toBe(changes.prompt);
    expect(nodes['7']?.inputs.text).toBe('text, watermark');
  });

  test('a prompt behind other nodes is found, and a circle of links ends', () => {
    const chain = {
      a: { inputs: { positive: ['b', 0] } },
      b: { inputs: { conditioning: ['c', 0] } },
      c: { inputs: { text: 'here' } },
    };
    expect(workflowInputs(JSON.stringify(chain)).prompt).toEqual({
      path: ['c', 'inputs', 'text'],
      text: 'here',
    });
    const circle = { a: { inputs: { positive: ['b', 0] } }, b: { inputs: { conditioning: ['b', 0] } } };
    expect(workflowInputs(JSON.stringify(circle)).prompt).toBeUndefined();
  });

  test('all samplers get the seed; a seed that is linked is left alone', () => {
    const text =
      '{"1":{"inputs":{"seed":1}},"2":{"inputs":{"noise_seed":2.0}},"3":{"inputs":{"seed":["1",0]}}}';
    expect(withInputs(text, { prompt: '', seed: '9' })).toBe(
      '{"1":{"inputs":{"seed":9}},"2":{"inputs":{"noise_seed":9}},"3":{"inputs":{"seed":["1",0]}}}',
    );
  });

  test('names like `__proto__`, escaped names and braces in texts do not lead astray', () => {
    const text = '{"__proto__":{"inputs":{"seed":1}},"\\u0061":{"inputs":{"x":"}\\"{","seed":2}}}';
    expect(rawValue(text, ['a', 'inputs', 'seed'])).toBe('2');
    expect(rawValue(text, ['__proto__', 'inputs', 'seed'])).toBe('1');
    expect(rawValue(text, ['toString', 'inputs', 'seed'])).toBeUndefined();
  });

  test.each([
    '',
    'null',
    '[]',
    '{',
    '"x"',
    '{"1":null}',
    '{"1":{"inputs":[]}}',
    '{"1":{"inputs":{"positive":["9",0]}}}',
  ])('%j has neither, and stays as it is', (text) => {
    expect(workflowInputs(text)).toEqual({ prompt: undefined, seed: undefined });
    expect(withInputs(text, changes)).toBe(text);
  });

  test('finds and replaces any value of any object, as a parser would', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), {
          minKeys: 1,
        }),
        fc.nat(),
        fc.constantFrom(undefined, 2),
        (value, pick, space) => {
          const text = JSON.stringify(value, null, space);
          const outer = Object.keys(value)[pick % Object.keys(value).length]!;
          const inner = Object.keys(value[outer]!)[0]!;
          const raw = rawValue(text, [outer, inner])!;
          expect(JSON.parse(raw)).toEqual(JSON.parse(JSON.stringify(value[outer]![inner])));
          expect(withRawValue(text, [outer, inner], raw)).toBe(text);
          expect(rawValue(withRawValue(text, [outer, inner], '12345678901234567890'), [outer, inner])).toBe(
            '12345678901234567890',
          );
        },
      ),
    );
  });
});

describe('a seed', () => {
  test.each([
    ['0', '0'],
    [' 007 ', '7'],
    ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551616', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['x', undefined],
    ['9'.repeat(100_000), undefined],
  ])('%j is read as %j', (typed, digits) => {
    expect(readSeed(typed)).toBe(digits);
  });

  test('a random one is in range', () => {
    for (let n = 0; n < 50; n += 1) expect(readSeed(randomSeed())).toBeDefined();
    expect(randomSeed()).not.toBe(randomSeed());
  });
});

describe('the examples', () => {
  const offered = new Set([
    'CheckpointLoaderSimple',
    'CLIPTextEncode',
    'EmptyLatentImage',
    'KSampler',
    'VAEDecode',
    'SaveImage',
    'EmptyImage',
    'ImageScale',
    'ImageInvert',
    'SaveAnimatedWEBP',
  ]);
  test.each(readdirSync(folder))(
    '%s is in API format, uses core nodes only and links to nodes that are there',
    (name) => {
      const nodes = JSON.parse(read(name)) as Record<string, unknown>;
      for (const node of Object.values(nodes)) {
        const { class_type: className, inputs } = workflowNodeSchema.parse(node);
        expect(offered).toContain(className);
        for (const input of Object.values(inputs))
          if (Array.isArray(input)) expect(nodes).toHaveProperty(input[0]);
      }
    },
  );
});
