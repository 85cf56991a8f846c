import { describe, expect, test } from '@jest/globals';
import { guessedMs } from './guess.ts';
import { shapeOf, type ShapeNode } from './workflow-shape.ts';

const node = (classType: string, more: Partial<ShapeNode> = {}): ShapeNode => ({
  classType,
  work: 1,
  steps: 1,
  loadsModel: false,
  ...more,
});

describe('a guess', () => {
  test('of a sampler grows with steps and pixels', () => {
    const of = (steps: number, pixels: number) =>
      guessedMs(node('KSampler', { steps, work: steps * pixels }));
    expect(of(40, 1) / of(20, 1)).toBeCloseTo(2);
    expect(of(20, 4) / of(20, 1)).toBeCloseTo(4);
  });

  test('of what carries the picture is far above that of what only describes it', () => {
    const sampler = guessedMs(node('SamplerCustomAdvanced', { steps: 20, work: 20 }));
    const loader = guessedMs(node('UNETLoader', { loadsModel: true }));
    const small = [
      'EmptyLatentImage',
      'KSamplerSelect',
      'BasicGuider',
      'RandomNoise',
      'SaveImage',
      'Reroute',
    ];
    for (const name of small) expect([name, guessedMs(node(name)) < sampler / 10]).toEqual([name, true]);
    expect(loader).toBeGreaterThan(guessedMs(node('LoraLoader', { loadsModel: true })));
  });

  test('of a scheduler is nothing, though it names steps', () => {
    expect(guessedMs(node('BasicScheduler', { steps: 20, work: 20 }))).toBeLessThan(500);
  });

  test('of classes that nobody knows is a time', () => {
    for (const name of ['', '__proto__', '世界', 'x'.repeat(256)])
      expect(guessedMs(node(name))).toBeGreaterThan(0);
  });

  test('of each node of a workflow is there', () => {
    const shape = shapeOf({
      a: { class_type: 'EmptyLatentImage', inputs: { width: 1024, height: 1024, batch_size: 2 } },
      b: { class_type: 'KSampler', inputs: { latent_image: ['a', 0], steps: 10 } },
    });
    const sampler = shape?.nodes.get('b');
    expect(sampler).toMatchObject({ steps: 10 });
    expect(guessedMs(sampler!)).toBeCloseTo(300 * 10 * 2.097152);
  });
});
