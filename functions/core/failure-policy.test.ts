import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { failureReasonSchema, type FailureReason } from '../../shared-types/index.ts';
import { categoryOf, mayRetry, retryDelaySeconds, type FailureCategory } from './failure-policy.ts';
import { makeJob } from './test-support/fixtures.ts';

const table: Record<FailureReason, FailureCategory> = {
  comfyRestarted: 'transient',
  vanished: 'transient',
  workerLost: 'transient',
  workerStalled: 'transient',
  dispatchFailed: 'transient',
  interrupted: 'transient',
  outOfMemory: 'recoverable',
  nodeError: 'permanent',
  badWorkflow: 'permanent',
  timeout: 'permanent',
  noStatus: 'fatal',
  internal: 'fatal',
};

describe.each(failureReasonSchema.options)('%s', (reason) => {
  const allowed = (retryCount: number, maxRetries: number): boolean =>
    mayRetry(makeJob({ retryCount, maxRetries }), { reason });

  test(`is ${table[reason]}`, () => {
    expect(categoryOf(reason)).toBe(table[reason]);
  });

  test('is retried as often as its category and the task allow', () => {
    const expected = {
      transient: [true, true, true, false],
      recoverable: [true, false, false, false],
      permanent: [false, false, false, false],
      fatal: [false, false, false, false],
    }[table[reason]];
    expect([0, 1, 2, 3].map((count) => allowed(count, 3))).toEqual(expected);
    expect(allowed(0, 0)).toBe(false);
  });
});

describe('the wait before a retry', () => {
  test('is ten seconds, then doubles up to five minutes', () => {
    const waits = [0, 1, 2, 3, 4, 5, 9].map((count) => retryDelaySeconds(count, 0));
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  test('has up to a fifth of jitter, and is never shorter than it should be', () => {
    fc.assert(
      fc.property(fc.nat(10), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (count, random) => {
        const [shortest, wait] = [retryDelaySeconds(count, 0), retryDelaySeconds(count, random)];
        expect(wait).toBeGreaterThanOrEqual(shortest);
        expect(wait).toBeLessThanOrEqual(shortest * 1.2);
      }),
    );
  });
});
