import { expect, test } from '@jest/globals';
import { createFakeClock } from '../test-support/fake-clock.ts';
import { createSilentLogger } from '../test-support/fixtures.ts';
import type { ReapDependencies } from './ports.ts';
import { reapStage } from './reap.ts';
import { createFakeProvider } from './test-support/fake-provider.ts';
import { createScalingWorld } from '../../adapters/test-support/scaling-world.ts';

const setUp = () => {
  const clock = createFakeClock();
  const novita = createFakeProvider({ name: 'novita', clock });
  const runpod = createFakeProvider({ name: 'runpod', clock });
  const logger = createSilentLogger();
  const reached = new Map([
    ['novita', novita],
    ['runpod', runpod],
  ]);
  const deps: ReapDependencies = { reached, problems: [], stage: 'test', clock, logger };
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
  const report = await reapStage(deps);
  const gone = [over, failed, stopped, unreadable].map(({ instanceId }) => instanceId);
  expect([...report.terminated].sort()).toEqual(gone.sort());
  expect(report.seen).toBe(5);
  expect([...novita.all(), ...runpod.all()]).toEqual([running, other]);
  expect(logger.lines.filter(({ code }) => code === 'reap.terminated')).toHaveLength(4);
  clock.advance(1);
  await reapStage(deps);
  expect(novita.all()).toEqual([]);
});

test('a provider that fails, or throws, keeps no other from being reaped, and is told', async () => {
  const { clock, novita, runpod, deps } = setUp();
  runpod.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  novita.refuse('list', { kind: 'unauthorized', message: 'no key' });
  await expect(reapStage(deps)).rejects.toMatchObject({ code: 'reap.incomplete', retryable: true });
  expect(runpod.all()).toEqual([]);
  const broken = { ...novita, list: async () => Promise.reject(new Error('bug')) };
  const reached = new Map([
    ['novita', broken],
    ['runpod', runpod],
  ]);
  runpod.add({ pool: 'test-gpu', workerId: 'again', leaseUntil: clock.iso(-1) });
  await expect(reapStage({ ...deps, reached })).rejects.toMatchObject({ code: 'reap.incomplete' });
  expect(runpod.all()).toEqual([]);
});

test('one that cannot be terminated keeps no other from it, and is tried again', async () => {
  const { clock, novita, runpod, deps } = setUp();
  novita.add({ pool: 'test-gpu', workerId: 'stuck', leaseUntil: clock.iso(-1) });
  runpod.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  novita.refuse('terminate', { kind: 'unavailable', message: 'HTTP 503' });
  await expect(reapStage(deps)).rejects.toThrow('novita-1');
  expect(runpod.all()).toEqual([]);
  novita.recover();
  await reapStage(deps);
  expect(novita.all()).toEqual([]);
});

test('an instance of a pool that nobody configures any more goes when its lease is over, and not before', async () => {
  const { clock, novita, runpod, deps } = setUp();
  novita.add({ pool: 'test-forgotten', workerId: 'w-1', leaseUntil: clock.iso(60_000) });
  const other = [
    runpod.add({ pool: 'prod-forgotten', workerId: 'w-2', leaseUntil: clock.iso(-1) }),
    runpod.add({ pool: 'testing-gpu', workerId: 'w-3', leaseUntil: clock.iso(-1) }),
  ];
  expect(await reapStage(deps)).toMatchObject({ seen: 1, terminated: [] });
  clock.advance(60_000);
  expect(await reapStage(deps)).toMatchObject({ seen: 1, terminated: ['novita-1'] });
  expect([...novita.all(), ...runpod.all()]).toEqual(other);
});

test('a configuration that is wrong is told, and leases end all the same', async () => {
  const { clock, novita, deps } = setUp();
  novita.add({ pool: 'test-gpu', workerId: 'over', leaseUntil: clock.iso(-1) });
  const told = reapStage({ ...deps, problems: ['WORKER_POOLS[0].max: must be a whole number'] });
  await expect(told).rejects.toThrow('WORKER_POOLS[0].max');
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
  await reapStage({ ...deps, reached: new Map([['novita', novita]]), problems: [] });
  expect(novita.all()).toEqual([]);
});
