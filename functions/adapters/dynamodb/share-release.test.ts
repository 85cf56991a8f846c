import { describe, expect, test } from '@jest/globals';
import type { UserShare } from '../../core/ports.ts';
import { emptyShare, settledTags } from './share-release.ts';

const CHARGE = { jobId: 'a', attempt: 1, chargedMs: 5000 };

const after = (durations: readonly number[], from: UserShare = emptyShare('u')): UserShare =>
  durations.reduce<UserShare>((share, ms) => ({ ...share, ...settledTags(share, CHARGE, ms) }), from);

describe('the average of what jobs took', () => {
  test('counts one job that was held up as four times the others, once three were seen', () => {
    const usual = after([4500, 4500, 4500]);
    expect(after([600_000], usual).averageMs).toBeCloseTo(4500 + 0.3 * 3 * 4500);
    expect(after([600_000], usual).finishMs - usual.finishMs).toBe(595_000);
  });

  test('believes the first three, and learns within ten jobs that they have become long for good', () => {
    expect(after([4500, 600_000]).averageMs).toBeGreaterThan(100_000);
    const long = after(
      Array.from({ length: 10 }, () => 60_000),
      after([4500, 4500, 4500]),
    );
    expect(long.averageMs).toBeGreaterThan(50_000);
  });

  test('does not take a job of seconds for an outlier where the others came from the cache', () => {
    expect(after([8000], after([20, 20, 20])).averageMs).toBeGreaterThan(2000);
  });

  test('of a share from before jobs were counted is believed until three more were seen', () => {
    const old: UserShare = { ...emptyShare('u'), averageMs: 5000 };
    expect(settledTags(old, CHARGE, 600_000)).toMatchObject({ averagedJobs: 1 });
    expect(settledTags(old, CHARGE, 600_000).averageMs).toBeGreaterThan(100_000);
  });

  test('leaves out what never ran and what nobody knows', () => {
    const usual = after([4500]);
    expect(settledTags(usual, CHARGE, 0)).toMatchObject({ averageMs: 4500, averagedJobs: 1 });
    expect(settledTags(usual, CHARGE, null)).toMatchObject({ averageMs: 4500, averagedJobs: 1 });
  });
});
