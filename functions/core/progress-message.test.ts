import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { progressMessage, type NodeAtWork } from './progress-message.ts';

const node = (nodeName: string, nodeType: string, done: number, of: number): NodeAtWork => ({
  nodeName,
  nodeType,
  nodeProgress: done,
  nodeMaxProgress: of,
  nodePercentage: (done / of) * 100,
});

describe('the sentences of seed 003, to the letter', () => {
  test.each([
    [node('K-Sampler', 'KSampler', 15, 20), 'Generating image using K-Sampler: 15/20 steps (75%)'],
    [node('VAE Decoder', 'VAEDecode', 1, 1), 'Loading VAE Decoder: 100%'],
    [node('CLIP Text Encoder', 'CLIPTextEncode', 3, 5), 'Encoding with CLIP Text Encoder: 3/5 (60%)'],
    [node('VAE', 'VAEDecodeTiled', 45, 100), 'Processing with VAE: 45/100 (45%)'],
  ])('%j', (atWork, sentence) => {
    expect(progressMessage(atWork)).toBe(sentence);
  });
});

describe('other nodes', () => {
  test.each([
    ['an unknown class', node('My Node', 'ZorkNode', 2, 8), 'Processing with My Node: 2/8 (25%)'],
    ['an unknown class of one step', node('My Node', 'ZorkNode', 0, 1), 'Processing with My Node: 0%'],
    [
      'a loader, without saying load twice',
      node('Load Checkpoint', 'CheckpointLoaderSimple', 1, 1),
      'Loading Checkpoint: 100%',
    ],
    ['a node without a name', node('', 'ZorkNode', 1, 2), 'Processing with ZorkNode: 1/2 (50%)'],
    ['a node without anything', node('', '', 1, 2), 'Processing with a node: 1/2 (50%)'],
    ['a class named like a prototype member', node('x', '__proto__', 1, 2), 'Processing with x: 1/2 (50%)'],
    [
      'fractions of steps',
      node('K-Sampler', 'KSampler', 1, 3),
      'Generating image using K-Sampler: 1/3 steps (33%)',
    ],
  ])('%s', (_what, atWork, sentence) => {
    expect(progressMessage(atWork)).toBe(sentence);
  });

  test('no number whatsoever reads as NaN or Infinity', () => {
    const number = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Infinity, -Infinity));
    fc.assert(
      fc.property(
        number,
        number,
        number,
        fc.constantFrom('KSampler', 'VAEDecode', 'Other'),
        (a, b, c, type) => {
          const said = progressMessage({
            nodeName: 'n',
            nodeType: type,
            nodeProgress: a,
            nodeMaxProgress: b,
            nodePercentage: c,
          });
          expect(said).not.toMatch(/NaN|Infinity|undefined/);
        },
      ),
    );
  });
});
