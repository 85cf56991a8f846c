import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { shapeOf, type WorkflowShape } from './workflow-shape.ts';

const workflow = (
  { steps = 20, width = 1024, model = 'a.safetensors', sampler = 'euler', text = 'a fox' } = {},
  more: Readonly<Record<string, unknown>> = {},
) => ({
  '1': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: model } },
  '2': { class_type: 'CLIPTextEncode', inputs: { clip: ['1', 1], text } },
  '3': { class_type: 'EmptyLatentImage', inputs: { width, height: 1000, batch_size: 2 } },
  '4': {
    class_type: 'KSampler',
    inputs: {
      model: ['1', 0],
      positive: ['2', 0],
      latent_image: ['3', 0],
      steps,
      seed: 1,
      sampler_name: sampler,
    },
  },
  '5': { class_type: 'VAEDecode', inputs: { samples: ['4', 0], vae: ['1', 2] } },
  ...more,
});

const shape = (value: unknown): WorkflowShape => {
  const read = shapeOf(value);
  if (read === undefined) throw new Error('no workflow');
  return read;
};
const workOf = (value: unknown, id: string): number | undefined => shape(value).nodes.get(id)?.work;

describe('the hash', () => {
  test('is the same for other prompts, steps, sizes and orders of writing', () => {
    const { hash } = shape(workflow());
    expect(hash).toMatch(/^[0-9a-f]{32}$/);
    const same = [
      workflow({ text: 'a cat' }),
      workflow({ steps: 50 }),
      workflow({ width: 512 }),
      Object.fromEntries(Object.entries(workflow()).toReversed()),
    ];
    for (const other of same) expect(shape(other).hash).toBe(hash);
  });

  test('is another for another model, sampler, class or link', () => {
    const others = [
      workflow(),
      workflow({ model: 'b.safetensors' }),
      workflow({ sampler: 'heun' }),
      workflow({}, { '5': { class_type: 'VAEDecodeTiled', inputs: { samples: ['4', 0], vae: ['1', 2] } } }),
      workflow({}, { '5': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['1', 2] } } }),
    ].map((each) => shape(each).hash);
    expect(new Set(others).size).toBe(others.length);
  });
});

describe('the work of a node', () => {
  test('is its steps by the megapixels that come to it', () => {
    expect(workOf(workflow(), '1')).toBe(1);
    expect(workOf(workflow(), '2')).toBe(1);
    expect(workOf(workflow(), '4')).toBeCloseTo(20 * 2.048);
    expect(workOf(workflow(), '5')).toBeCloseTo(2.048);
    expect(workOf(workflow({ steps: 40, width: 512 }), '4')).toBeCloseTo(40 * 1.024);
  });

  test('counts the frames of a video, the part of an advanced sampler, the steps of a scheduler, and a new size', () => {
    const more = workflow(
      {},
      {
        '6': { class_type: 'EmptyVideo', inputs: { width: 1000, height: 1000, length: 49 } },
        '7': {
          class_type: 'KSamplerAdvanced',
          inputs: { latent_image: ['6', 0], steps: 25, start_at_step: 20, end_at_step: 10_000 },
        },
        '8': { class_type: 'BasicScheduler', inputs: { steps: 12 } },
        '9': { class_type: 'SamplerCustomAdvanced', inputs: { sigmas: ['8', 0], latent_image: ['6', 0] } },
        '10': { class_type: 'ImageScaleBy', inputs: { image: ['5', 0], scale_by: 2 } },
      },
    );
    expect(workOf(more, '7')).toBeCloseTo(5 * 49);
    expect(workOf(more, '9')).toBeCloseTo(12 * 49);
    expect(workOf(more, '10')).toBeCloseTo(4 * 2.048);
  });

  test('a node that names a model file loads one', () => {
    const loads = [...shape(workflow()).nodes].filter(([, node]) => node.loadsModel).map(([id]) => id);
    expect(loads).toEqual(['1']);
  });
});

test('a cycle, and a chain of ten thousand, come to an end', () => {
  const link = (to: number) => ({ class_type: 'X', inputs: { a: [String(to), 0], width: 10, height: 10 } });
  expect(shapeOf({ '1': link(2), '2': link(1) })?.nodes.size).toBe(2);
  const chain = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`n${i}`, link(i + 1)]));
  expect(shapeOf(chain)?.nodes.size).toBe(10_000);
  expect(shapeOf({ ...chain, more: link(1) })).toBeUndefined();
});

test('anything at all is a shape of finite works, or none', () => {
  const odd = fc.oneof(fc.anything(), fc.constantFrom<unknown>(NaN, -1, 1e308, ['1', 0], 'x.safetensors'));
  const node = fc.record({
    class_type: fc.string(),
    inputs: fc.dictionary(
      fc.constantFrom('steps', 'width', 'height', 'sigmas', 'scale_by', '__proto__'),
      odd,
    ),
  });
  fc.assert(
    fc.property(fc.oneof(fc.dictionary(fc.string(), node), fc.anything()), (value) => {
      const read = shapeOf(value);
      for (const { work } of read?.nodes.values() ?? []) {
        expect(work).toBeGreaterThan(0);
        expect(Number.isFinite(work)).toBe(true);
      }
    }),
  );
});
