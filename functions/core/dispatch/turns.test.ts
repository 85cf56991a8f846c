/** One dispatcher decides at a time, and no wake-up is lost by it. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import type { ComfyUi } from '../ports.ts';
import { interleave } from '../test-support/interleave.ts';
import { dispatchPending } from './dispatch.ts';
import { TURN_LEASE_MS } from './turns.ts';

const callsOf = ({ faults }: DispatchWorld, label: string): number =>
  faults.calls.filter((call) => call === label).length;

test('of thirty wake-ups at once one fills every slot, and no claim of a share is lost to another', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = createDispatchWorld();
      const SLOTS = 8;
      for (let index = 0; index < SLOTS; index += 1) await world.addWorker(`w${index}`);
      for (let index = 0; index < 60; index += 1) await world.addJob({ userId: `user-${index % 3}` });
      interleave(world.faults, seed);
      const reports = await Promise.all(Array.from({ length: 30 }, () => dispatchPending(world.deps)));
      expect(world.comfyUi.posted).toHaveLength(SLOTS);
      expect(callsOf(world, 'shares.claim')).toBe(SLOTS);
      expect(reports.filter(({ leftToAnother }) => leftToAnother).length).toBeGreaterThan(0);
    }),
    { numRuns: 10 },
  );
});

test('whatever is submitted while somebody decides is dispatched without a sweep', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 12 }), async (seed, jobs) => {
      const world = createDispatchWorld();
      for (let index = 0; index < 12; index += 1) await world.addWorker(`w${index}`);
      interleave(world.faults, seed);
      const submitAndWake = async (): Promise<void> => {
        await world.addJob();
        await dispatchPending(world.deps);
      };
      await Promise.all(Array.from({ length: jobs }, submitAndWake));
      expect(world.table.allJobs().map(({ status }) => status)).toEqual(Array(jobs).fill('assigned'));
      expect(world.comfyUi.posted).toHaveLength(jobs);
    }),
    { numRuns: 25 },
  );
});

test('a dispatcher that dies with the turn keeps the others out for no longer than its lease', async () => {
  const world = createDispatchWorld();
  await world.addWorker('w1');
  const jobId = await world.addJob();
  world.faults.crashAt(world.faults.calls.length + 2);
  await expect(dispatchPending(world.deps)).rejects.toThrow('as told');
  world.faults.recover();
  expect(await dispatchPending(world.deps)).toMatchObject({ leftToAnother: true });
  world.clock.advance(TURN_LEASE_MS + 1);
  expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1, leftToAnother: false });
  expect(world.job(jobId).status).toBe('assigned');
});

test('one that fails gives the turn up at once', async () => {
  const world = createDispatchWorld();
  await world.addWorker('w1');
  await world.addJob();
  world.table.fail('shares', 'list', 1);
  await expect(dispatchPending(world.deps)).rejects.toThrow('shares.list');
  expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
});

/** POSTs to these endpoints do not return before they are let go. */
const slow = (world: DispatchWorld, endpoint: string) => {
  const waiting: (() => void)[] = [];
  const arrived: string[] = [];
  const submitPrompt: ComfyUi['submitPrompt'] = async (to, body) => {
    arrived.push(to);
    if (to === endpoint) await new Promise<void>((resolve) => waiting.push(resolve));
    return world.deps.comfyUi.submitPrompt(to, body);
  };
  const deps = { ...world.deps, comfyUi: { ...world.comfyUi, submitPrompt } };
  return { deps, arrived, letGo: () => waiting.shift()?.() };
};
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

test('a worker that takes its prompt slowly keeps nobody else waiting', async () => {
  const world = createDispatchWorld();
  const endpoint = await world.addWorker('w1');
  const { deps, arrived, letGo } = slow(world, endpoint);
  await world.addJob();
  const first = dispatchPending(deps);
  await until(() => arrived.includes(endpoint));
  await world.addWorker('w2');
  const second = await world.addJob();
  expect(await dispatchPending(deps)).toMatchObject({ dispatched: 1, leftToAnother: false });
  expect(world.livePrompts(second)).toHaveLength(1);
  letGo();
  expect(await first).toMatchObject({ dispatched: 1 });
});

test('what is decided for one worker reaches it in that order', async () => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  const endpoint = await world.addWorker('w1');
  const { deps, arrived, letGo } = slow(world, endpoint);
  const jobs = [await world.addJob({ priority: 9 }), await world.addJob({ priority: 1 })];
  const pass = dispatchPending(deps);
  await until(() => jobs.every((jobId) => world.job(jobId).status === 'assigned'));
  expect(arrived).toEqual([endpoint]);
  letGo();
  await until(() => arrived.length === 2);
  letGo();
  await pass;
  expect(world.comfyUi.posted.map(({ jobId }) => jobId)).toEqual(jobs);
});

test('a prompt that comes back late is placed anew by whoever brought it', async () => {
  const world = createDispatchWorld();
  const endpoint = await world.addWorker('w1');
  const { deps, arrived, letGo } = slow(world, endpoint);
  const jobId = await world.addJob();
  const pass = dispatchPending(deps);
  await until(() => arrived.includes(endpoint));
  await world.addWorker('w2');
  world.comfyUi.down.add(endpoint);
  letGo();
  expect(await pass).toMatchObject({ dispatched: 1 });
  expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w2', attempt: 2 });
});
