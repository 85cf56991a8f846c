/** Cancelling at every point of a job's life: one end, told under one id, and no other prompt touched. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../adapters/test-support/dispatch-world.ts';
import { createDispatchHandler } from '../dispatch/dispatch.ts';
import { createJobFailureHandler } from '../job-failure/job-failure.ts';
import { cancelJob, type CancelAnswer } from './cancel-job.ts';
import { dispatchPending } from './dispatch/dispatch.ts';
import { ENDING_MS } from './dispatch/postpone.ts';
import { sweep } from './dispatch/sweep.ts';
import { isTerminal } from './job.ts';
import { makeEvent, START, uuidOf } from './test-support/fixtures.ts';

/** One worker that runs a neighbour's prompt, and the job behind it in its queue. */
const queuedBehindNeighbour = async () => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  await world.addWorker('w1');
  const neighbour = await world.addJob({ userId: 'neighbour' });
  const jobId = await world.addJob();
  await dispatchPending(world.deps);
  await dispatchPending(world.deps);
  return { world, neighbour, jobId };
};

const running = async (world: DispatchWorld, jobId: string): Promise<void> => {
  await world.table.jobs.update({
    guard: { jobId, statuses: ['assigned'] },
    patch: { status: 'running', startedAt: world.clock.iso(), eventSequence: 1 },
  });
};

const kindOf = async (world: DispatchWorld, jobId: string): Promise<CancelAnswer['kind']> =>
  (await cancelJob({ jobId, userId: 'user-1' }, world.deps)).kind;

const endsOf = (world: DispatchWorld, jobId: string): readonly string[] => [
  ...new Set(
    world.publisher.events
      .filter(({ detail }) => detail.jobId === jobId)
      .filter(({ detailType }) => ['Task Completed', 'Task Failed', 'Task Cancelled'].includes(detailType))
      .map(({ detailType, detail }) => `${detailType} ${detail.eventId}`),
  ),
];

const timesTold = (world: DispatchWorld, jobId: string): number =>
  world.publisher.events.filter(
    ({ detailType, detail }) => detailType === 'Task Cancelled' && detail.jobId === jobId,
  ).length;

describe('a job that waits', () => {
  test('is cancelled at once, leaves the queue, and is told of', async () => {
    const world = createDispatchWorld();
    const jobId = await world.addJob();
    await world.table.subscriptions.subscribe(jobId, 'user-1', 'c1');
    expect(await kindOf(world, jobId)).toBe('cancelled');
    expect(world.job(jobId)).toMatchObject({ status: 'cancelled', completedAt: START, attempts: [] });
    expect(await world.table.allQueue()).toEqual([]);
    expect(world.pusher.sent.map(({ message }) => message.type)).toEqual(['job_cancelled']);
    await world.addWorker('w1');
    await dispatchPending(world.deps);
    expect(world.comfyUi.posted).toEqual([]);
  });

  test('and is cancelled twice is told once', async () => {
    const world = createDispatchWorld();
    const jobId = await world.addJob();
    await cancelJob({ jobId }, world.deps);
    const before = world.job(jobId);
    expect(await kindOf(world, jobId)).toBe('cancelled');
    expect(world.job(jobId)).toEqual(before);
    expect(timesTold(world, jobId)).toBe(1);
  });

  test('and is cancelled by one who died before telling is told by the next', async () => {
    const world = createDispatchWorld();
    const jobId = await world.addJob();
    world.faults.fail('publisher', 'publish', 1);
    await expect(cancelJob({ jobId }, world.deps)).rejects.toThrow('publisher.publish');
    expect(timesTold(world, jobId)).toBe(0);
    for (let times = 0; times < 3; times += 1) expect(await kindOf(world, jobId)).toBe('cancelled');
    expect(timesTold(world, jobId)).toBe(1);
  });
});

describe('a job in the queue of ComfyUI', () => {
  test('is deleted from it and cancelled at once; the neighbour runs on', async () => {
    const { world, neighbour, jobId } = await queuedBehindNeighbour();
    expect(world.comfyUi.live(world.endpointOf('w1'))).toHaveLength(2);
    expect(await kindOf(world, jobId)).toBe('cancelled');
    expect(world.comfyUi.live(world.endpointOf('w1')).map((prompt) => prompt.jobId)).toEqual([neighbour]);
    expect(world.comfyUi.ended).toEqual(world.comfyUi.queued.slice(1).map(({ promptId }) => promptId));
    expect(world.job(jobId).attempts).toMatchObject([{ attempt: 1, outcome: 'cancelled' }]);
    expect(world.job(neighbour).status).toBe('assigned');
  });

  test('frees its slot and its share by the event alone', async () => {
    const { world, jobId } = await queuedBehindNeighbour();
    const dispatch = createDispatchHandler({
      ...world.deps,
      instances: world.table.instances,
      addressPolicy: 'private',
    });
    await cancelJob({ jobId }, world.deps);
    const told = world.publisher.events.find(({ detailType }) => detailType === 'Task Cancelled')!;
    await dispatch(makeEvent('Task Cancelled', told.detail as never));
    expect(world.table.allWorkers()[0]?.held.map((held) => held.jobId)).not.toContain(jobId);
    const share = world.table.allShares().find(({ userId }) => userId === 'user-1');
    expect(share?.active).toEqual([]);
  });
});

describe('a job that runs', () => {
  test('is interrupted, and ends with the event of its monitor', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    await running(world, jobId);
    expect(await kindOf(world, jobId)).toBe('requested');
    const { promptId, clientId } = world.job(jobId);
    expect(world.comfyUi.interrupted).toEqual([promptId]);
    expect(world.job(jobId)).toMatchObject({
      status: 'running',
      endingReason: 'cancel',
      endingSince: world.clock.iso(),
      dueAt: world.clock.iso(ENDING_MS),
    });
    expect(await kindOf(world, jobId)).toBe('requested');
    const ofAttempt = { jobId, attempt: 1, workerId: 'w1', promptId: promptId!, clientId: clientId! };
    const event = makeEvent('Job Cancelled', { ...ofAttempt, sequence: 9, reason: 'interrupted' });
    await createJobFailureHandler(world.deps)(event);
    expect(world.job(jobId).status).toBe('cancelled');
    await createJobFailureHandler(world.deps)(event);
    expect(await kindOf(world, jobId)).toBe('cancelled');
    expect(timesTold(world, jobId)).toBe(1);
  });

  test('and that ComfyUI lost is cancelled at once', async () => {
    const world = createDispatchWorld();
    const endpoint = await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    await running(world, jobId);
    world.comfyUi.restart(endpoint);
    expect(await kindOf(world, jobId)).toBe('cancelled');
  });

  test('on a pod that does not answer is cancelled within two minutes', async () => {
    const world = createDispatchWorld();
    const endpoint = await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    await running(world, jobId);
    world.comfyUi.down.add(endpoint);
    expect(await kindOf(world, jobId)).toBe('requested');
    for (let sweeps = 0; sweeps < 2; sweeps += 1) {
      world.clock.advance(59_000);
      await world.heartbeat();
      await sweep(world.deps);
    }
    expect(world.job(jobId).status).toBe('cancelled');
    expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
  });

  test('and stores its outputs already may complete', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    const dueAt = world.clock.iso(1_200_000);
    await world.table.jobs.update({
      guard: { jobId, statuses: ['assigned'] },
      patch: { status: 'running', storingSince: world.clock.iso(), dueAt },
    });
    expect(await kindOf(world, jobId)).toBe('requested');
    expect(world.comfyUi.ended).toEqual([]);
    expect(world.job(jobId)).toMatchObject({ dueAt, endingSince: null });
  });
});

test.each(['completed', 'failed'] as const)('a job that has %s stays what it is', async (status) => {
  const world = createDispatchWorld();
  const jobId = await world.addJob();
  await world.table.jobs.update({ guard: { jobId, statuses: ['pending'] }, patch: { status } });
  expect(await kindOf(world, jobId)).toBe('ended');
  expect(world.job(jobId).status).toBe(status);
});

test("nobody cancels, or learns of, another user's job", async () => {
  const world = createDispatchWorld();
  const jobId = await world.addJob({ userId: 'somebody' });
  expect(await kindOf(world, jobId)).toBe('notFound');
  expect(await kindOf(world, uuidOf(9999))).toBe('notFound');
  expect(world.job(jobId).status).toBe('pending');
});

/** Minutes pass; monitors tell of what was interrupted, and every prompt that runs ends after one. */
const live = async (world: DispatchWorld, minutes: number): Promise<void> => {
  const failure = createJobFailureHandler(world.deps);
  const dispatch = createDispatchHandler({
    ...world.deps,
    instances: world.table.instances,
    addressPolicy: 'private',
  });
  const told = new Set<string>();
  for (let minute = 0; minute < minutes; minute += 1) {
    for (const { jobId, attempt, promptId, clientId, endpoint } of world.comfyUi.queued) {
      if (!world.comfyUi.interrupted.includes(promptId) || told.has(promptId)) continue;
      told.add(promptId);
      const workerId = new URL(endpoint).hostname;
      const ofAttempt = { jobId, attempt, promptId, clientId, workerId, eventId: uuidOf(70_000 + told.size) };
      const event = makeEvent('Job Cancelled', { ...ofAttempt, sequence: 9, reason: 'interrupted' });
      await failure(event);
      await dispatch(event);
    }
    world.clock.advance(60_000);
    await world.heartbeat();
    await sweep(world.deps);
    await dispatchPending(world.deps);
    const { endpoint } = world.table.allWorkers()[0]!;
    const [first] = world.comfyUi.live(endpoint);
    if (first !== undefined) await world.complete(first);
  }
};

describe('at any call of a dispatch', () => {
  /** How many calls a dispatch makes. */
  const prepare = async () => {
    const world = createDispatchWorld({ prefetchDepth: 1 });
    await world.addWorker('w1');
    const neighbour = await world.addJob({ userId: 'neighbour' });
    await dispatchPending(world.deps);
    const jobId = await world.addJob();
    return { world, neighbour, jobId };
  };

  test('a cancellation ends the job once, and the neighbour completes', async () => {
    const counted = await prepare();
    const before = counted.world.faults.calls.length;
    await dispatchPending(counted.world.deps);
    const calls = counted.world.faults.calls.length - before;
    expect(calls).toBeGreaterThan(10);
    for (let call = 1; call <= calls + 1; call += 1) {
      const { world, neighbour, jobId } = await prepare();
      const at = world.faults.calls.length + call;
      let cancelled = false;
      let kind: CancelAnswer['kind'] | undefined;
      world.faults.interleave(async () => {
        if (cancelled || world.faults.calls.length + 1 < at) return;
        cancelled = true;
        ({ kind } = await cancelJob({ jobId }, world.deps));
      });
      await dispatchPending(world.deps);
      if (!cancelled) ({ kind } = await cancelJob({ jobId }, world.deps));
      world.faults.interleave(async () => undefined);
      expect(['cancelled', 'requested']).toContain(kind);
      // Nobody has to wait for the sweep: what went into ComfyUI after the cancellation was taken out again.
      const inComfyUi = world.comfyUi.live(world.endpointOf('w1')).map((prompt) => prompt.jobId);
      expect({ call, inComfyUi }).toEqual({ call, inComfyUi: [neighbour] });
      await live(world, 6);
      expect({ call, status: world.job(jobId).status }).toEqual({ call, status: 'cancelled' });
      expect(endsOf(world, jobId)).toHaveLength(1);
      expect(world.comfyUi.live(world.endpointOf('w1'))).toEqual([]);
      expect(world.job(neighbour)).toMatchObject({ status: 'completed', attempt: 1 });
      expect(world.comfyUi.ended).not.toContain(world.job(neighbour).promptId);
      expect(await world.table.allQueue()).toEqual([]);
      expect(world.table.allWorkers()[0]?.held).toEqual([]);
      expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    }
  });

  test('a cancellation and a dispatcher that die together leave a job that ends as cancelled', async () => {
    for (let call = 1; call <= 14; call += 1) {
      const { world, jobId } = await prepare();
      await dispatchPending(world.deps);
      world.faults.crashAt(world.faults.calls.length + call, 'after');
      await cancelJob({ jobId }, world.deps).catch(() => undefined);
      world.faults.recover();
      const asked = world.job(jobId).cancelRequestedAt !== null;
      await live(world, 6);
      expect(isTerminal(world.job(jobId).status)).toBe(true);
      if (asked) expect(world.job(jobId).status).toBe('cancelled');
      expect(await kindOf(world, jobId)).toMatch(/cancelled|ended/);
    }
  });
});
