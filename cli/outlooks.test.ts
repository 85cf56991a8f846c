import { afterEach, describe, expect, test } from '@jest/globals';
import { createOutlooks, type Outlooks } from './outlooks.ts';
import { until } from './test-support/run.ts';

let outlooks: Outlooks | undefined;
afterEach(() => outlooks?.stop());

describe('how long tasks will take', () => {
  test('an estimate counts down between two answers, and not below nothing', async () => {
    let now = 1000;
    outlooks = createOutlooks(() => now);
    expect(outlooks.of('a')).toEqual({ queuePosition: null, etaSeconds: null });
    const changed: string[] = [];
    outlooks.start(
      () => ['a', 'b'],
      (id) =>
        id === 'a'
          ? Promise.resolve({ queue_position: 2, eta_seconds: 60 })
          : Promise.reject(new Error('not now')),
      (id) => changed.push(id),
    );
    await until(() => changed.length === 1);
    now += 15_000;
    expect(outlooks.of('a')).toEqual({ queuePosition: 2, etaSeconds: 45 });
    now += 100_000;
    expect(outlooks.of('a').etaSeconds).toBe(0);
    expect(outlooks.of('b').etaSeconds).toBeNull();
  });

  test('of many tasks a few are asked for at a time, each once', async () => {
    outlooks = createOutlooks(() => 0);
    const asked: string[] = [];
    const changed: string[] = [];
    outlooks.start(
      () => Array.from({ length: 30 }, (_, n) => `${n}`),
      (id) => {
        asked.push(id);
        return Promise.resolve({ queue_position: 1, eta_seconds: null });
      },
      (id) => changed.push(id),
    );
    await until(() => changed.length === 10);
    expect(asked).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });
});
