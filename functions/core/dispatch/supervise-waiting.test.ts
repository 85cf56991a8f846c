/** A prompt that waits in a ComfyUI in which nothing of ours moves on. */
import { describe, expect, test } from '@jest/globals';
import {
  createDispatchWorld,
  type DispatchWorld,
  type JobWish,
} from '../../adapters/test-support/dispatch-world.ts';
import { dispatchPending } from './dispatch.ts';
import { UNMOVED_MS } from './supervise-waiting.ts';
import { sweep } from './sweep.ts';

/** Somebody else's prompt hangs in the ComfyUI of w1, and a job of ours is behind it. */
const behindForeign = async (wish: JobWish = {}) => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  const endpoint = await world.addWorker('w1');
  const foreign = { prompt_id: 'foreign', client_id: 'x', extra_data: { jobId: 'foreign', attempt: 1 } };
  await world.comfyUi.submitPrompt(endpoint, JSON.stringify(foreign));
  const jobId = await world.addJob({ timeoutSeconds: 60, ...wish });
  await dispatchPending(world.deps);
  return { world, endpoint, jobId };
};

/** Each minute something is heard of the jobs that were named. */
const live = async (world: DispatchWorld, minutes: number, heard: readonly string[] = []): Promise<void> => {
  for (let minute = 0; minute < minutes; minute += 1) {
    world.clock.advance(60_000);
    await world.heartbeat();
    for (const jobId of heard) {
      const patch = { status: 'running', eventSequence: minute + 1 } as const;
      await world.table.jobs.update({ guard: { jobId, statuses: ['assigned', 'running'] }, patch });
    }
    await sweep(world.deps);
  }
};
const inComfyUi = (world: DispatchWorld, endpoint: string) =>
  world.comfyUi.live(endpoint).map(({ jobId }) => jobId);

describe('a job behind a prompt that hangs', () => {
  test('goes to a worker that is idle after two minutes, at no cost', async () => {
    const { world, endpoint, jobId } = await behindForeign();
    const other = await world.addWorker('w2');
    await live(world, UNMOVED_MS / 60_000 - 1);
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
    await live(world, 1);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 0, failure: null, attempts: [] });
    expect(inComfyUi(world, endpoint)).toEqual(['foreign']);
    expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w2' });
    expect(inComfyUi(world, other)).toEqual([jobId]);
  });

  test('stays while the idle one cannot run it', async () => {
    const { world, jobId } = await behindForeign({ needs: { classes: ['KSampler'] } });
    await world.addWorker('w2');
    await world.teach('w2', ['OtherNode']);
    await live(world, 4);
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
  });

  test('waits in our queue after half an hour, wherever it may go then', async () => {
    const { world, endpoint, jobId } = await behindForeign();
    await live(world, 30);
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
    await live(world, 1);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 0 });
    expect(inComfyUi(world, endpoint)).toEqual(['foreign']);
  });

  test('and that may run for longer may wait for as long', async () => {
    const { world, jobId } = await behindForeign({ timeoutSeconds: 3600 });
    await live(world, 60);
    expect(world.job(jobId).status).toBe('assigned');
    await live(world, 1);
    expect(world.job(jobId).status).toBe('pending');
  });

  test('is not put back before it is certain that it will not run there', async () => {
    const { world, endpoint, jobId } = await behindForeign();
    await world.addWorker('w2');
    world.clock.advance(UNMOVED_MS);
    await world.heartbeat();
    const hastyComfyUi = { ...world.comfyUi, endPrompt: async () => 'unreachable' as const };
    await sweep({ ...world.deps, hastyComfyUi });
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
    expect(inComfyUi(world, endpoint)).toEqual(['foreign', jobId]);
  });
});

test('a job behind one of ours stays while that one moves on, though another worker is idle', async () => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  await world.addWorker('w1');
  const first = await world.addJob();
  const second = await world.addJob();
  await dispatchPending(world.deps);
  await world.addWorker('w2');
  await live(world, 5, [first]);
  expect(world.job(second)).toMatchObject({ status: 'assigned', workerId: 'w1' });
  await live(world, 3);
  expect(world.job(second).status).toBe('pending');
});
