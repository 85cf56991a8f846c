import { expect, test } from '@jest/globals';
import { createFakeClock } from '../test-support/fake-clock.ts';
import { createSilentLogger } from '../test-support/fixtures.ts';
import { reapPools } from './reap.ts';
import { createFakeProvider } from './test-support/fake-provider.ts';
import { makePool, novitaEntry } from './test-support/fixtures.ts';
import { createScalingWorld } from '../../adapters/test-support/scaling-world.ts';

const setUp = () => {
  const clock = createFakeClock();
  const novita = createFakeProvider({ name: 'novita', clock });
  const runpod = createFakeProvider({ name: 'runpod', clock });
  const logger = createSilentLogger();
  const pool = makePool({ providers: [novitaEntry(), novitaEntry({ provider: 'runpod' })] });
  const providers = new Map([
    [pool.name, new Map([['novita', novita] as const, ['runpod', runpod] as const])],
  ]);
  const deps = { pools: [pool], providers, stage: 'test', clock, logger };
  return { clock, novita, runpod, logger, deps };
};

test('what outlived its lease, failed or stopped goes; all else stays', async () => {
  const { clock, novita, runpod, logger, deps } = setUp();
  const over = novita.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  const failed = novita.add({ pool: 'test-gpu', workerId: 'failed', state: 'failed' });
  const stopped = runpod.add({ pool: 'test-gpu', workerId: 'stopped', state: 'stopped' });
  const unreadable = runpod.add({ pool: 'test-gpu', workerId: 'unreadable', leaseUntil: 'tomorrow' });
  const running = novita.add({ pool: 'test-gpu', workerId: 'running', leaseUntil: clock.iso(1) });
  const other = runpod.add({ pool: 'prod-gpu', workerId: 'other', leaseUntil: clock.iso(-1) });
  const report = await reapPools(deps);
  const gone = [over, failed, stopped, unreadable].map(({ instanceId }) => instanceId);
  expect([...report.terminated].sort()).toEqual(gone.sort());
  expect(report.seen).toBe(5);
  expect([...novita.all(), ...runpod.all()]).toEqual([running, other]);
  expect(logger.lines.filter(({ code }) => code === 'reap.terminated')).toHaveLength(4);
  clock.advance(1);
  await reapPools(deps);
  expect(novita.all()).toEqual([]);
});

test('a provider that fails, or throws, keeps no other from being reaped, and is told', async () => {
  const { clock, novita, runpod, deps } = setUp();
  runpod.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  novita.refuse('list', { kind: 'unauthorized', message: 'no key' });
  await expect(reapPools(deps)).rejects.toMatchObject({ code: 'reap.incomplete', retryable: true });
  expect(runpod.all()).toEqual([]);
  const broken = { ...novita, list: async () => Promise.reject(new Error('bug')) };
  const providers = new Map([['gpu', new Map([['novita', broken] as const, ['runpod', runpod] as const])]]);
  runpod.add({ pool: 'test-gpu', workerId: 'again', leaseUntil: clock.iso(-1) });
  await expect(reapPools({ ...deps, providers })).rejects.toMatchObject({ code: 'reap.incomplete' });
  expect(runpod.all()).toEqual([]);
});

test('one that cannot be terminated keeps no other from it, and is tried again', async () => {
  const { clock, novita, runpod, deps } = setUp();
  novita.add({ pool: 'test-gpu', workerId: 'stuck', leaseUntil: clock.iso(-1) });
  runpod.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  novita.refuse('terminate', { kind: 'unavailable', message: 'HTTP 503' });
  await expect(reapPools(deps)).rejects.toThrow('novita-1');
  expect(runpod.all()).toEqual([]);
  novita.recover();
  await reapPools(deps);
  expect(novita.all()).toEqual([]);
});

test('with the table down, scaling fails and the lease still ends', async () => {
  const { deps, enqueue, pass, novita, faults, clock } = createScalingWorld({ leaseMinutes: 60 });
  await enqueue(1);
  await pass();
  expect(novita.all()).toHaveLength(1);
  faults.crashAt(faults.calls.length + 1);
  await expect(pass()).rejects.toThrow();
  clock.advance(61 * 60_000);
  await expect(pass()).rejects.toThrow();
  // The faults are in the ports of the table; the reaper is given the providers as they are.
  const providers = new Map([['gpu', new Map([['novita', novita]])]]);
  await reapPools({ ...deps, providers });
  expect(novita.all()).toEqual([]);
});
