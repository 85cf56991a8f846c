/** Many dispatchers at once, in any interleaving of their calls. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRacingWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { statusOf } from '../worker.ts';
import { interleave } from '../test-support/interleave.ts';
import { dispatchPending } from './dispatch.ts';
import { sweep } from './sweep.ts';

const DISPATCHERS = 10;

const expectOneEach = (world: DispatchWorld): void => {
  for (const { endpoint } of world.table.allWorkers()) {
    expect(world.comfyUi.live(endpoint).length).toBeLessThanOrEqual(1);
  }
};

const drain = async (world: DispatchWorld, passes: () => Promise<unknown>[]): Promise<void> => {
  for (let round = 0; round < 60 && (await world.table.allQueue()).length > 0; round += 1) {
    await Promise.all(passes());
    expectOneEach(world);
    world.clock.advance(1000);
    const live = world.table.allWorkers().flatMap(({ endpoint }) => world.comfyUi.live(endpoint));
    await Promise.all(live.map((prompt) => world.complete(prompt)));
  }
};

test('ten dispatchers give a hundred jobs to five workers: one attempt each, never two on one worker', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = createRacingWorld();
      for (let index = 0; index < 5; index += 1) await world.addWorker(`w${index}`);
      for (let index = 0; index < 100; index += 1) await world.addJob({ priority: index % 11 });
      interleave(world.faults, seed);
      await drain(world, () => Array.from({ length: DISPATCHERS }, () => dispatchPending(world.deps)));
      expect(world.comfyUi.posted).toHaveLength(100);
      expect(new Set(world.comfyUi.posted.map(({ jobId }) => jobId)).size).toBe(100);
      expect(world.comfyUi.posted.every(({ attempt }) => attempt === 1)).toBe(true);
      expect(world.table.allJobs().every(({ status }) => status === 'completed')).toBe(true);
      expect(world.table.allWorkers().every((worker) => statusOf(worker) === 'idle')).toBe(true);
    }),
    { numRuns: 2 },
  );
});

test('dispatchers, sweeps and answers that fail, interleaved: every job ends once, every worker is free', async () => {
  const outcome = fc.constantFrom('accept', 'accept', 'unknownQueued', 'unknownLost', 'unreachable' as const);
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(outcome, { maxLength: 12 }), async (seed, outcomes) => {
      const world = createRacingWorld();
      for (let index = 0; index < 3; index += 1) await world.addWorker(`w${index}`);
      for (let index = 0; index < 8; index += 1) await world.addJob({ max_retries: 10 });
      world.comfyUi.script(...outcomes);
      interleave(world.faults, seed);
      for (let round = 0; round < 40; round += 1) {
        await Promise.all([
          ...Array.from({ length: 3 }, () => dispatchPending(world.deps)),
          sweep(world.deps),
          sweep(world.deps),
        ]);
        expectOneEach(world);
        for (const { status, jobId, queuedAt } of world.table.allJobs()) {
          if (status !== 'pending') continue;
          const entries = await world.entriesOf(jobId);
          expect(entries.filter((entry) => entry.queuedAt === queuedAt)).toHaveLength(1);
        }
        const live = world.table.allWorkers().flatMap(({ endpoint }) => world.comfyUi.live(endpoint));
        for (const prompt of live) await world.complete(prompt);
        world.clock.advance(35_000);
        await world.heartbeat();
      }
      expect(world.table.allJobs().map(({ status }) => status)).toEqual(Array(8).fill('completed'));
      expect(await world.table.allQueue()).toEqual([]);
      expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
      expect(world.table.allWorkers().every((worker) => statusOf(worker) === 'idle')).toBe(true);
    }),
    { numRuns: 8 },
  );
});

test('dispatchers that keep losing to others leave the rest to them, and no slot stays empty', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = createRacingWorld();
      const SLOTS = 8;
      for (let index = 0; index < SLOTS; index += 1) await world.addWorker(`w${index}`);
      for (let index = 0; index < 60; index += 1) await world.addJob({});
      let claims = 0;
      const { shares } = world.deps;
      const claim: typeof shares.claim = (...wanted) => {
        claims += 1;
        return shares.claim(...wanted);
      };
      const deps = { ...world.deps, shares: { ...shares, claim } };
      interleave(world.faults, seed);
      await Promise.all(Array.from({ length: 30 }, () => dispatchPending(deps)));
      expect(world.comfyUi.posted).toHaveLength(SLOTS);
      expect(claims).toBeLessThan(30 * 6 + SLOTS);
    }),
    { numRuns: 6 },
  );
});
