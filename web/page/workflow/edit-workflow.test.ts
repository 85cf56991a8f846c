import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { workflowNodeSchema } from '../../../shared-types/task-api.ts';
import { randomSeed, rawValue, readSeed, withRawValue } from './edit-workflow.ts';

const folder = new URL('./examples/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

describe('a workflow is changed as text', () => {
  test('names like `__proto__`, escaped names and braces in texts do not lead astray', () => {
    const text = '{"__proto__":{"inputs":{"seed":1}},"\\u0061":{"inputs":{"x":"}\\"{","seed":2}}}';
    expect(rawValue(text, ['a', 'inputs', 'seed'])).toBe('2');
    expect(rawValue(text, ['__proto__', 'inputs', 'seed'])).toBe('1');
    expect(rawValue(text, ['toString', 'inputs', 'seed'])).toBeUndefined();
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
