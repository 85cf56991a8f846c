/** Tasks that take their workers down before anything is heard of them. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import type { Job } from '../job.ts';
import { dispatchPending } from './dispatch.ts';
import { START_GRACE_MS } from './start-grace.ts';
import { sweep } from './sweep.ts';

const LEASE_MS = 60_000;
/** Longer than the delay of a second attempt. */
const RETRY_MS = 30_000;

const fleet = async (prefetchDepth = 0): Promise<DispatchWorld> => {
  const world = createDispatchWorld({ prefetchDepth });
  for (const workerId of ['w1', 'w2', 'w3']) await world.addWorker(workerId);
  return world;
};

const sweepAfter = async (world: DispatchWorld, ms: number): Promise<void> => {
  world.clock.advance(ms);
  await world.heartbeat();
  await sweep(world.deps);
};

const retry = async (world: DispatchWorld): Promise<void> => {
  world.clock.advance(RETRY_MS);
  await world.heartbeat();
  await dispatchPending(world.deps);
};

const reasonsOf = ({ attempts }: Job) => attempts.map(({ failure }) => failure?.reason);

/** How a worker goes down, and until when the sweep has certainly noticed. */
const DOWN = {
  'ComfyUI restarts': async (world: DispatchWorld, workerId: string) => {
    await world.restartComfyUi(workerId);
    await sweepAfter(world, START_GRACE_MS);
  },
  'pod and monitor are gone': async (world: DispatchWorld, workerId: string) => {
    world.comfyUi.down.add(world.endpointOf(workerId));
    world.silent.add(workerId);
    await sweepAfter(world, LEASE_MS + 1);
  },
  'the pod comes back, its monitor does not': async (world: DispatchWorld, workerId: string) => {
    world.comfyUi.restart(world.endpointOf(workerId));
    world.silent.add(workerId);
    await sweepAfter(world, LEASE_MS + 1);
  },
} as const;

describe.each(Object.entries(DOWN))('where %s within milliseconds', (_how, takeDown) => {
  test('the task that does so twice is not tried on a third worker', async () => {
    const world = await fleet();
    const jobId = await world.addJob({ max_retries: 5 });
    await dispatchPending(world.deps);
    const killed: (string | null)[] = [];
    for (const attempt of [1, 2]) {
      expect(world.job(jobId)).toMatchObject({ status: 'assigned', attempt, startedAt: null });
      world.clock.advance(5);
      killed.push(world.job(jobId).workerId);
      await takeDown(world, killed.at(-1) ?? '');
      if (attempt === 1) await retry(world);
    }
    expect(new Set(killed).size).toBe(2);
    await retry(world);
    expect(world.job(jobId)).toMatchObject({
      status: 'failed',
      attempt: 2,
      failure: { message: expect.stringMatching(/not tried again/) },
    });
    expect(world.publisher.events.at(-1)).toMatchObject({ detailType: 'Task Failed' });
    expect(world.publisher.events.at(-1)?.detail).not.toHaveProperty('unheard');
  });

  test('a task that only waited behind such a one is tried again, however often', async () => {
    const world = await fleet(1);
    const first = await world.addJob({ max_retries: 0 });
    world.clock.advance(1);
    const behind = await world.addJob({ userId: 'neighbour', max_retries: 5 });
    for (const workerId of ['w2', 'w3']) await world.table.workers.setDraining(workerId, true);
    await dispatchPending(world.deps);
    expect(world.job(first)).toMatchObject({ workerId: 'w1', queuedBehind: 0 });
    expect(world.job(behind)).toMatchObject({ workerId: 'w1', queuedBehind: 1 });
    world.clock.advance(5);
    await takeDown(world, 'w1');
    expect(world.job(behind).status).toBe('pending');
    expect(world.job(behind).attempts.map(({ failure }) => failure?.unheard)).toEqual([undefined]);
    expect(world.job(first).attempts.map(({ failure }) => failure?.unheard)).toEqual([true]);
  });
});

test('a prompt that nobody sent, for its dispatcher died, is no evidence against its task', async () => {
  const world = await fleet();
  const jobId = await world.addJob({ max_retries: 5 });
  for (const attempt of [1, 2, 3]) {
    await dispatchPending(world.deps);
    expect(world.job(jobId).attempt).toBe(attempt);
    // What ComfyUI never got: nothing is there, and nothing connected anew.
    world.comfyUi.restart(world.endpointOf(world.job(jobId).workerId ?? ''));
    await sweepAfter(world, START_GRACE_MS);
    world.clock.advance(120_000);
    await world.heartbeat();
  }
  expect(reasonsOf(world.job(jobId))).toEqual(['dispatchFailed', 'dispatchFailed', 'dispatchFailed']);
  expect(world.job(jobId).status).toBe('pending');
});

test('a monitor that dies alone is no evidence either: its ComfyUI goes on', async () => {
  const world = await fleet();
  const jobId = await world.addJob({ max_retries: 5 });
  await dispatchPending(world.deps);
  world.silent.add(world.job(jobId).workerId ?? '');
  world.comfyUi.stuck.add(world.endpointOf(world.job(jobId).workerId ?? ''));
  for (let minute = 0; minute < 5; minute += 1) await sweepAfter(world, 60_001);
  expect(world.job(jobId).attempts[0]?.failure).toMatchObject({ reason: 'workerLost' });
  expect(world.job(jobId).attempts[0]?.failure).not.toHaveProperty('unheard');
});
