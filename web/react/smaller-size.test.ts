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
  test('is three quarters of width and height and half of the batch, and every other digit stays', () => {
    const smaller = withSmallerSize(submit(latent('"width": 1024, "height": 1000, "batch_size": 5')));
    expect(smaller).toEqual({
      submission: submit(latent('"width": 768, "height": 744, "batch_size": 2')),
      before: '1024 × 1000, batch of 5',
      after: '768 × 744, batch of 2',
    });
  });

  test.each(['EmptySD3LatentImage', 'EmptyHunyuanLatentVideo', 'EmptyLatentImage'])('%s is one', (type) => {
    expect(withSmallerSize(submit(latent('"width": 256, "height": 256', type)))?.after).toBe('192 × 192');
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
    expect(withSmallerSize(submit(latent('"width": 128, "height": 64')))?.after).toBe('96 px');
    expect(withSmallerSize(submit(latent('"width": 64, "batch_size": 4')))?.after).toBe('batch of 2');
  });
});

describe('the policy', () => {
  const large = submit(latent('"width": 1024, "height": 1024'));

  test('answers want of memory with three sizes in all, and nothing else', () => {
    expect([1, 2, 3].map((tries) => retryWithSmallerSize(error('outOfMemory'), tries, large)?.note)).toEqual([
      'Out of memory at 1024 × 1024: trying again at 768 × 768 (size 2 of 3)',
      'Out of memory at 1024 × 1024: trying again at 768 × 768 (size 3 of 3)',
      undefined,
    ]);
    expect(retryWithSmallerSize(error('nodeError'), 1, large)).toBeUndefined();
    expect(retryWithSmallerSize(error(null), 1, large)).toBeUndefined();
  });
});
