import { describe, expect, test } from '@jest/globals';
import { Chaos } from './chaos.ts';
import type { ChaosOptions } from './chaos.ts';

const rough: ChaosOptions = {
  seed: 42,
  failRate: 0.3,
  duplicateRate: 0.3,
  latencyMs: { min: 10, max: 20 },
  delayRate: 0.5,
  reorder: { rate: 0.2, windowMs: 100 },
};

const deliveries = (chaos: Chaos, count: number) =>
  Array.from({ length: count }, () => chaos.delivery('events'));
const calls = (chaos: Chaos, count: number) => Array.from({ length: count }, () => chaos.call('dynamodb'));

describe('chaos', () => {
  test('does the same things again from the same seed, and others from another', () => {
    const first = deliveries(new Chaos(rough), 50);
    expect(deliveries(new Chaos(rough), 50)).toEqual(first);
    expect(deliveries(new Chaos({ ...rough, seed: 43 }), 50)).not.toEqual(first);
  });

  test('treats the n-th call of a service alike, whatever other services do in between', () => {
    const mixed = new Chaos(rough);
    const seen = Array.from({ length: 30 }, () => [mixed.call('s3'), mixed.call('dynamodb')][1]);
    expect(seen).toEqual(calls(new Chaos(rough), 30));
  });

  test('keeps its rates', () => {
    const fates = calls(new Chaos(rough), 4000);
    const share = (matches: (fate: (typeof fates)[number]) => boolean) =>
      fates.filter(matches).length / fates.length;
    expect(share(({ fail }) => fail !== 'none')).toBeCloseTo(0.3, 1);
    expect(share(({ fail }) => fail === 'after')).toBeCloseTo(0.15, 1);
    expect(share(({ delayMs }) => delayMs > 0)).toBeCloseTo(0.5, 1);
    expect(fates.every(({ delayMs }) => delayMs === 0 || (delayMs >= 10 && delayMs <= 20))).toBe(true);
  });

  test('gives every copy of a delivery a delay of its own', () => {
    const fates = deliveries(new Chaos(rough), 1000);
    expect(fates.every(({ copies, delaysMs }) => delaysMs.length === copies)).toBe(true);
    expect(fates.filter(({ copies }) => copies === 2).length / 1000).toBeCloseTo(0.3, 1);
  });

  test('leaves services alone that it is not told to trouble, and all of them by default', () => {
    const picky = new Chaos({ seed: 1, failRate: 1, duplicateRate: 1, services: ['lambda'] });
    expect(picky.call('s3')).toEqual({ delayMs: 0, fail: 'none' });
    expect(picky.delivery('lambda:queue').copies).toBe(2);
    expect(new Chaos().delivery('events')).toMatchObject({ copies: 1, delaysMs: [0], fail: false });
  });

  test.each([{ failRate: 1.5 }, { duplicateRate: -1 }, { delayRate: Number.NaN }])(
    'refuses the rate %o',
    (rates) => {
      expect(() => new Chaos({ seed: 1, ...rates })).toThrow(/must be between 0 and 1/);
    },
  );
});
