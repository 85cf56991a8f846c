import { expect, test } from '@jest/globals';
import { inParallel } from './in-parallel.ts';

test('no more than the limit at once, results in order', async () => {
  let now = 0;
  let most = 0;
  const results = await inParallel([3, 1, 2, 0, 4], 2, async (item, index) => {
    now += 1;
    most = Math.max(most, now);
    for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
    now -= 1;
    return `${index}:${item}`;
  });
  expect(results).toEqual(['0:3', '1:1', '2:2', '3:0', '4:4']);
  expect(most).toBe(2);
});

test('the first error is the answer; nothing of nothing is nothing', async () => {
  await expect(inParallel([1, 2], 2, (n) => Promise.reject(new Error(`${n}`)))).rejects.toThrow('1');
  expect(await inParallel([], 3, () => Promise.reject(new Error('never')))).toEqual([]);
});
