import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { instanceNameOf, readInstanceName, type InstanceName } from './novita-runpod-name.ts';

const LONGEST = 'a'.repeat(63);

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/);
const time = fc.integer({ min: 0, max: Date.parse('5000-01-01T00:00:00Z') });
const names: fc.Arbitrary<InstanceName> = fc.record({
  pool: word,
  workerId: word,
  launchedAt: time,
  leaseUntil: time,
  pricePerHour: fc.option(fc.integer({ min: 0, max: 10_000_000 }).map((units) => units / 100_000)),
});

describe('the name of an instance', () => {
  test('what is written can be read again', () => {
    fc.assert(fc.property(names, (told) => expect(readInstanceName(instanceNameOf(told))).toEqual(told)));
  });

  test('the longest name fits the 191 characters that RunPod takes', () => {
    const name = instanceNameOf({
      pool: LONGEST,
      workerId: LONGEST,
      launchedAt: Date.parse('4999-01-01T00:00:00Z'),
      leaseUntil: Date.parse('4999-01-01T00:00:00Z'),
      pricePerHour: 99.99999,
    });
    expect(name.length).toBeLessThanOrEqual(165);
    expect(readInstanceName(name)).toMatchObject({ pool: LONGEST, workerId: LONGEST });
  });

  test.each([
    '',
    'my pod',
    'cw1',
    'cw1____',
    'cw1_pool-a_worker-1',
    'cw1_pool-a_worker-1_mhx0_mhx1',
    'cw1_pool-a_worker-1_mhx0_mhx1_-_more',
    'cw1_pool_a_worker-1_mhx0_mhx1_-',
    'cw2_pool-a_worker-1_mhx0_mhx1_-',
    'CW1_pool-a_worker-1_mhx0_mhx1_-',
    ' cw1_pool-a_worker-1_mhx0_mhx1_-',
    'cw1_pool-a_worker-1_mhx0_mhx1_-\n',
    'cw1_pool-a_worker-1_-1_mhx1_-',
    'cw1_pool-a_worker-1_mhx0_zzzzzzzzzz_-',
    'cw1_-pool_worker-1_mhx0_mhx1_-',
    `cw1_${'a'.repeat(64)}_worker-1_mhx0_mhx1_-`,
    'cw1_pool-a_worker-1_mhx0_mhx1_-5',
    'cw1_пул_worker-1_mhx0_mhx1_-',
  ])('%j is not ours', (name) => {
    expect(readInstanceName(name)).toBeUndefined();
  });

  test('a lease before 1970 makes no name that reads', () => {
    const name = instanceNameOf({
      pool: 'a',
      workerId: 'b',
      launchedAt: 1,
      leaseUntil: -1,
      pricePerHour: null,
    });
    expect(readInstanceName(name)).toBeUndefined();
  });
});
