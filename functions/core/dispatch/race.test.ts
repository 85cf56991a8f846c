/** Fifty dispatchers race for twenty workers and the tasks of several users. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRacingWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { cancelJob } from '../cancel-job.ts';
import type { ComfyUi } from '../ports.ts';
import { createPicker, interleave } from '../test-support/interleave.ts';
import type { Submitted } from '../test-support/scripted-comfyui.ts';
import { isTerminal } from '../job.ts';
import { dispatchPending } from './dispatch.ts';
import { sweep } from './sweep.ts';

const DISPATCHERS = 50;
const WORKERS = 20;
const TASKS = 500;
const USERS = 7;
const CAP = 9;
const PREFETCH = 1;

const livePrompts = ({ table, comfyUi }: DispatchWorld): readonly Submitted[] =>
  table.allWorkers().flatMap(({ endpoint }) => comfyUi.live(endpoint));

/** Called at each POST: what ComfyUIs have at this very moment. */
const expectWithinLimits = (world: DispatchWorld): void => {
  const perUser = new Map<string, number>();
  const perWorker = new Map<string, number>();
  for (const { jobId, endpoint } of livePrompts(world)) {
    const { userId } = world.job(jobId);
    perUser.set(userId, (perUser.get(userId) ?? 0) + 1);
    perWorker.set(endpoint, (perWorker.get(endpoint) ?? 0) + 1);
  }
  expect(Math.max(0, ...perUser.values())).toBeLessThanOrEqual(CAP);
  expect(Math.max(0, ...perWorker.values())).toBeLessThanOrEqual(1 + PREFETCH);
};

const watched = (world: DispatchWorld): ComfyUi => ({
  ...world.comfyUi,
  submitPrompt: async (...prompt) => {
    const answer = await world.deps.comfyUi.submitPrompt(...prompt);
    expectWithinLimits(world);
    return answer;
  },
});

const populate = async (tasks: number): Promise<DispatchWorld> => {
  const world = createRacingWorld({ prefetchDepth: PREFETCH, maxRunningPerUser: CAP });
  for (let index = 0; index < WORKERS; index += 1) await world.addWorker(`w${index}`);
  for (let index = 0; index < tasks; index += 1) {
    // The first user has as many as all others together.
    const userId = `user-${index % 2 === 0 ? 0 : index % USERS}`;
    await world.addJob({ userId, priority: index % 11 });
    world.clock.advance(10);
  }
  return world;
};

test('each task is started once, no cap and no depth is exceeded, and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = await populate(TASKS);
      const deps = { ...world.deps, comfyUi: watched(world) };
      const pick = createPicker(seed);
      interleave(world.faults, seed);
      for (let round = 0; round < 80 && (await world.table.allQueue()).length > 0; round += 1) {
        await Promise.all(Array.from({ length: DISPATCHERS }, () => dispatchPending(deps)));
        expectWithinLimits(world);
        world.clock.advance(500);
        for (const prompt of livePrompts(world)) {
          if (pick(3) > 0) await world.complete(prompt, 100 + pick(2000));
        }
      }
      for (const prompt of livePrompts(world)) await world.complete(prompt, 100);
      expect(world.comfyUi.posted).toHaveLength(TASKS);
      expect(new Set(world.comfyUi.posted.map(({ jobId }) => jobId)).size).toBe(TASKS);
      expect(world.comfyUi.posted.every(({ attempt }) => attempt === 1)).toBe(true);
      expect(world.table.allJobs().every(({ status }) => status === 'completed')).toBe(true);
      expect(world.table.allWorkers().every(({ held }) => held.length === 0)).toBe(true);
      expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    }),
    { numRuns: 1 },
  );
}, 120_000);

const TERMINAL_EVENTS = ['Task Completed', 'Task Failed', 'Task Cancelled'];

test('dispatchers, sweeps and cancellations at once: every job ends, in one way, and what is held is given back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = await populate(60);
      const pick = createPicker(seed);
      const jobs = world.table.allJobs().map(({ jobId }) => jobId);
      interleave(world.faults, seed);
      for (let round = 0; round < 30; round += 1) {
        const unlucky = Array.from({ length: 4 }, () => jobs[pick(jobs.length)]!);
        await Promise.all([
          ...Array.from({ length: 6 }, () => dispatchPending(world.deps)),
          ...unlucky.map((jobId) => cancelJob({ jobId }, world.deps)),
          ...(round % 3 === 0 ? [sweep(world.deps)] : []),
        ]);
        for (const prompt of livePrompts(world)) if (pick(2) > 0) await world.complete(prompt, 100);
        world.clock.advance(30_000);
        await world.heartbeat();
      }
      for (let minute = 0; minute < 6; minute += 1) {
        await sweep(world.deps);
        for (const prompt of livePrompts(world)) await world.complete(prompt, 100);
        await dispatchPending(world.deps);
        world.clock.advance(60_000);
        await world.heartbeat();
      }
      for (const job of world.table.allJobs()) {
        expect(isTerminal(job.status)).toBe(true);
        const ends = world.publisher.events.filter(
          ({ detailType, detail }) => detail.jobId === job.jobId && TERMINAL_EVENTS.includes(detailType),
        );
        expect(new Set(ends.map(({ detail }) => detail.eventId)).size).toBe(
          job.status === 'completed' ? 0 : 1,
        );
        const runs = world.comfyUi.posted.filter(({ jobId }) => jobId === job.jobId);
        expect(runs.map(({ attempt }) => attempt)).toEqual(runs.map((_, index) => index + 1));
      }
      expect(livePrompts(world)).toEqual([]);
      expect(await world.table.allQueue()).toEqual([]);
      expect(world.table.allWorkers().every(({ held }) => held.length === 0)).toBe(true);
      expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    }),
    { numRuns: 5 },
  );
}, 120_000);
