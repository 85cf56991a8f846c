import { describe, expect, test } from '@jest/globals';
import type { GenerationError } from './generation-view.ts';
import { retryWithSmallerSize, withSmallerSize } from './smaller-size.ts';

const error = (reason: GenerationError['reason']): GenerationError => ({
  message: 'failed',
  nodeName: null,
  nodeType: null,
  nodeId: null,
  reason,
});
const submit = (payload: string) => ({ workflow_id: 'w', priority: 7, payload });
const latent = (inputs: string, type = 'EmptyLatentImage'): string =>
  `{"5": {"class_type": "${type}", "inputs": {${inputs}}}, "3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615, "width": 1024}}}`;

describe('smaller', () => {
  test('halves width, height and batch of the empty latent, and leaves every other digit alone', () => {
    const smaller = withSmallerSize(submit(latent('"width": 1024, "height": 1000, "batch_size": 5')));
    expect(smaller).toEqual({
      ...submit(latent('"width": 512, "height": 496, "batch_size": 2')),
      change: '512 × 496, batch of 2',
    });
  });

  test.each(['EmptySD3LatentImage', 'EmptyHunyuanLatentVideo', 'EmptyLatentImage'])('%s is one', (type) => {
    expect(withSmallerSize(submit(latent('"width": 256, "height": 256', type)))?.change).toBe('128 × 128');
  });

  test.each([
    ['it is at the smallest', submit(latent('"width": 64, "height": 64, "batch_size": 1'))],
    ['its size comes from another node', submit(latent('"width": ["7", 0], "height": ["7", 1]'))],
    ['no node has a size', submit('{"3": {"class_type": "KSampler", "inputs": {}}}')],
    ['nodes are anything', submit('{"1": null, "2": [], "3": {"class_type": 7}, "__proto__": {}}')],
    ['it is a stored workflow', { workflow_id: 'stored' }],
  ])('nothing when %s', (_why, submission) => {
    expect(withSmallerSize(submission)).toBeUndefined();
  });

  test('one side or the batch alone is named alone', () => {
    expect(withSmallerSize(submit(latent('"width": 128, "height": 64')))?.change).toBe('64 px');
    expect(withSmallerSize(submit(latent('"width": 64, "batch_size": 4')))?.change).toBe('batch of 2');
  });
});

describe('the policy', () => {
  const large = submit(latent('"width": 1024, "height": 1024'));

  test('answers want of memory three times, and nothing else', () => {
    expect(
      [1, 2, 3, 4].map((tries) => retryWithSmallerSize(error('outOfMemory'), tries, large) !== undefined),
    ).toEqual([true, true, true, false]);
    expect(retryWithSmallerSize(error('nodeError'), 1, large)).toBeUndefined();
    expect(retryWithSmallerSize(error(null), 1, large)).toBeUndefined();
  });
});
