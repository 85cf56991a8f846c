import { describe, expect, test } from '@jest/globals';
import type { ProviderInstance } from '../providers/worker-provider.ts';
import { refresh, UNCONFIRMED_MS } from './refresh.ts';
import { makeInstance, makeWorker } from './test-support/fixtures.ts';

const NOW = Date.parse('2026-11-22T11:00:00.000Z');
const NOW_ISO = new Date(NOW).toISOString();
const seen: ProviderInstance = {
  instanceId: 'i-9',
  provider: 'novita',
  pool: 'test-gpu',
  workerId: 'gpu-1',
  state: 'running',
  launchedAt: '2026-11-22T10:00:05.000Z',
  leaseUntil: '2026-11-22T14:00:00.000Z',
  pricePerHour: 0.4,
  address: 'https://pod.example',
};
const launching = makeInstance({ condition: 'launching', instanceId: null, launchedAt: null });

describe('a launch that was not confirmed', () => {
  test('is live once its provider shows it, with what it tells', () => {
    expect(refresh({ instance: launching, seen, worker: undefined }, NOW)).toEqual({
      ...launching,
      condition: 'live',
      instanceId: 'i-9',
      launchedAt: '2026-11-22T10:00:05.000Z',
      pricePerHour: 0.4,
      address: 'https://pod.example',
    });
  });

  test('is given up when nothing came of it, and not while nobody knows', () => {
    const young = { ...launching, createdAt: new Date(NOW - UNCONFIRMED_MS + 1).toISOString() };
    expect(refresh({ instance: young, seen: 'absent', worker: undefined }, NOW)).toEqual(young);
    expect(refresh({ instance: launching, seen: 'unknown', worker: undefined }, NOW)).toEqual(launching);
    expect(refresh({ instance: launching, seen: 'absent', worker: undefined }, NOW)).toBe('discard');
  });
});

describe('an instance that is gone', () => {
  test('has ended; while its provider cannot be asked it has not', () => {
    const instance = makeInstance();
    expect(refresh({ instance, seen: 'absent', worker: undefined }, NOW)).toMatchObject({
      condition: 'ended',
      endReason: 'gone',
      endedAt: NOW_ISO,
    });
    expect(refresh({ instance, seen: 'unknown', worker: undefined }, NOW)).toEqual(instance);
  });

  test('keeps the reason for which it was ended', () => {
    const instance = makeInstance({ condition: 'ending', endReason: 'idle' });
    expect(refresh({ instance, seen: 'absent', worker: undefined }, NOW)).toMatchObject({
      condition: 'ended',
      endReason: 'idle',
    });
  });
});

describe('its worker', () => {
  test('announces itself, and is idle from when it was first seen with nothing', () => {
    const worker = makeWorker({ catalogueHash: 'hash' });
    const first = refresh({ instance: makeInstance(), seen, worker }, NOW);
    expect(first).toMatchObject({ announcedAt: NOW_ISO, idleSince: NOW_ISO, catalogueHash: 'hash' });
    if (first === 'discard') throw new Error('it is live');
    expect(refresh({ instance: first, seen, worker }, NOW + 60_000)).toEqual({
      ...first,
      busyShare: 0.81,
    });
    const worked = makeWorker({ lastAssignedAt: new Date(NOW + 30_000).toISOString() });
    expect(refresh({ instance: first, seen, worker: worked }, NOW + 60_000)).toMatchObject({
      idleSince: new Date(NOW + 60_000).toISOString(),
    });
  });

  test('is busy by its last ten minutes or so, and its row comes to rest', () => {
    let instance = makeInstance({ announcedAt: NOW_ISO, idleSince: NOW_ISO });
    const shares: number[] = [];
    for (let pass = 0; pass < 60; pass += 1) {
      const next = refresh({ instance, seen, worker: makeWorker() }, NOW + pass * 60_000);
      if (next === 'discard') throw new Error('it is live');
      instance = next;
      shares.push(instance.busyShare);
    }
    expect(shares[9]).toBeLessThan(0.4);
    expect(shares.at(-1)).toBeLessThan(0.06);
    expect(shares.at(-1)).toBe(shares.at(-10));
  });

  test.each([
    ['lost', { condition: 'lost' }, NOW_ISO],
    ['stopped', { condition: 'stopped' }, NOW_ISO],
    ['without its ComfyUI', { condition: 'failed' }, NOW_ISO],
    ['ready', { condition: 'ready' }, null],
    ['draining', { condition: 'draining' }, null],
  ] as const)('%s', (_what, overrides, unwellSince) => {
    const refreshed = refresh({ instance: makeInstance(), seen, worker: makeWorker(overrides) }, NOW);
    expect(refreshed).toMatchObject({ unwellSince });
  });
});
