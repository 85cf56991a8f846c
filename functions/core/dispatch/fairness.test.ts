/** Whose turn it is. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { createPicker } from '../test-support/interleave.ts';
import { sampleOf } from './choose-user.ts';
import { dispatchPending } from './dispatch.ts';

const live = ({ table, comfyUi }: DispatchWorld) =>
  table.allWorkers().flatMap(({ endpoint }) => comfyUi.live(endpoint));

const usersOf = (world: DispatchWorld): readonly string[] =>
  world.comfyUi.posted.map(({ jobId }) => world.job(jobId).userId);

test('a user with a thousand tasks delays the one task of another by no more than the slots in flight', async () => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  for (let index = 0; index < 3; index += 1) await world.addWorker(`w${index}`);
  for (let index = 0; index < 1000; index += 1) await world.addJob({ userId: 'crowd', priority: 10 });
  const pick = createPicker(7);
  let worst = 0;
  for (let round = 0; round < 20; round += 1) {
    await dispatchPending(world.deps);
    world.clock.advance(1000);
    const single = await world.addJob({ userId: `single-${round}`, priority: 0 });
    const startedBefore = world.comfyUi.posted.length;
    while (world.job(single).status !== 'assigned') {
      const prompts = live(world);
      await world.complete(prompts[pick(prompts.length)]!, 500 + pick(5000));
      await dispatchPending(world.deps);
    }
    const overtaken = usersOf(world)
      .slice(startedBefore)
      .filter((userId) => userId === 'crowd');
    expect(overtaken.length).toBeLessThanOrEqual(6);
    worst = Math.max(worst, overtaken.length);
  }
  // In fact the very first slot that gets free is theirs, but for ties.
  expect(worst).toBeLessThanOrEqual(1);
});

test('users with work share ComfyUI by time, not by tasks, and whoever was away saves nothing up', async () => {
  const costs: Record<string, number> = { short: 1000, middle: 4000, long: 16_000 };
  const world = createDispatchWorld();
  await world.addWorker('w1');
  const spent: Record<string, number> = { short: 0, middle: 0, long: 0, late: 0 };
  const fill = async (userId: string, count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) await world.addJob({ userId });
  };
  for (const userId of Object.keys(costs)) await fill(userId, 260);
  const run = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      await dispatchPending(world.deps);
      const prompt = live(world)[0]!;
      const { userId } = world.job(prompt.jobId);
      const cost = costs[userId] ?? 1000;
      spent[userId] = (spent[userId] ?? 0) + cost;
      world.clock.advance(cost);
      await world.complete(prompt, cost);
    }
  };
  await run(250);
  const times = ['short', 'middle', 'long'].map((userId) => spent[userId]!);
  expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(2 * 16_000);
  await fill('late', 50);
  const before = spent['short']!;
  await run(80);
  expect(spent['late']).toBeGreaterThan(0);
  expect(spent['late']!).toBeLessThanOrEqual(spent['short']! - before + 16_000);
});

test('among users who have had as much, the oldest entry comes first', async () => {
  const world = createDispatchWorld();
  await world.addWorker('w1');
  for (const userId of ['c', 'a', 'b']) {
    await world.addJob({ userId });
    world.clock.advance(1);
  }
  for (let round = 0; round < 3; round += 1) {
    await dispatchPending(world.deps);
    await world.complete(live(world)[0]!, 10_000);
  }
  expect(usersOf(world)).toEqual(['c', 'a', 'b']);
});

test('a task of the lowest priority passes a fresh one of the highest after fifty minutes, and not before', async () => {
  for (const [minutes, first] of [
    [50.01, 'low'],
    [49.99, 'high'],
  ] as const) {
    const world = createDispatchWorld();
    const low = await world.addJob({ priority: 0 });
    world.clock.advance(minutes * 60_000);
    const high = await world.addJob({ priority: 10 });
    await world.addWorker('w1');
    await dispatchPending(world.deps);
    expect(world.comfyUi.posted.map(({ jobId }) => jobId)).toEqual([first === 'low' ? low : high]);
  }
});

describe('who is passed over', () => {
  test('a user at the cap, until one of the tasks ends', async () => {
    const world = createDispatchWorld({ maxRunningPerUser: 2 });
    for (let index = 0; index < 5; index += 1) await world.addWorker(`w${index}`);
    for (let index = 0; index < 5; index += 1) await world.addJob({ userId: 'a' });
    await world.addJob({ userId: 'b' });
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 3 });
    expect(usersOf(world).toSorted()).toEqual(['a', 'a', 'b']);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    await world.complete(live(world).find(({ jobId }) => world.job(jobId).userId === 'a')!);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
  });

  test('a paused user, and everybody when the whole queue is paused', async () => {
    const world = createDispatchWorld();
    for (let index = 0; index < 3; index += 1) await world.addWorker(`w${index}`);
    for (const userId of ['a', 'b']) await world.addJob({ userId });
    await world.table.shares.setPaused('a', true);
    await world.table.shares.setAllPaused(true);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    await world.table.shares.setAllPaused(false);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(usersOf(world)).toEqual(['b']);
    await world.table.shares.setPaused('a', false);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
  });

  test('a user whose queue is empty is not asked again until an entry comes', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    await world.complete(world.comfyUi.posted[0]!);
    await dispatchPending(world.deps);
    expect(world.table.allShares()[0]?.waitingStamp).toBeNull();
    const before = world.faults.calls.length;
    await dispatchPending(world.deps);
    expect(world.faults.calls.slice(before)).toEqual([
      'turns.take',
      'workers.list',
      'shares.list',
      'turns.end',
    ]);
    expect(world.job(jobId).status).toBe('completed');
    const next = await world.addJob();
    await dispatchPending(world.deps);
    expect(world.job(next).status).toBe('assigned');
  });

  test('an entry that comes while the queue is found empty is not forgotten', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addJob();
    await dispatchPending(world.deps);
    await world.complete(world.comfyUi.posted[0]!);
    let next: string | undefined;
    world.faults.interleave(async (label) => {
      if (label !== 'shares.settleEmpty' || next !== undefined) return;
      next = '';
      next = await world.addJob();
    });
    await dispatchPending(world.deps);
    world.faults.interleave(async () => undefined);
    await dispatchPending(world.deps);
    expect(world.job(next!).status).toBe('assigned');
  });
});

test('what was charged and did not run is given back', async () => {
  const world = createDispatchWorld();
  world.comfyUi.down.add(await world.addWorker('w1'));
  await world.addJob();
  await dispatchPending(world.deps);
  expect(world.table.allShares()[0]).toMatchObject({ active: [], finishMs: 0, averageMs: null });
});

test('a sample takes each as likely as any other', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 9 }), fc.integer(), (items, size, seed) => {
      const pick = createPicker(seed);
      const sample = sampleOf(items, size, () => pick(1000) / 1000);
      expect(sample).toHaveLength(Math.min(size, items.length));
      for (const item of sample) expect(items).toContain(item);
    }),
  );
  const firsts = new Set(
    Array.from({ length: 10 }, (_, at) => sampleOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1, () => at / 10)[0]),
  );
  expect(firsts.size).toBe(10);
});
