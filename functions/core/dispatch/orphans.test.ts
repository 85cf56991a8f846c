/** Workers that are gone, and whose ComfyUI may live on: the work is not done on two pods at once. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { createDispatchHandler } from '../../dispatch/dispatch.ts';
import { cancelJob } from '../cancel-job.ts';
import { makeEvent } from '../test-support/fixtures.ts';
import { dispatchPending } from './dispatch.ts';
import { sweep } from './sweep.ts';

const worker = (world: DispatchWorld, workerId: string) =>
  world.table.allWorkers().find((each) => each.workerId === workerId)!;
const heldBy = (world: DispatchWorld, workerId: string) =>
  worker(world, workerId).held.map(({ jobId }) => jobId);
const runningAt = (world: DispatchWorld, endpoint: string) =>
  world.comfyUi.live(endpoint).map(({ jobId }) => jobId);

/** One job runs on w1; w2 is idle. */
const running = async () => {
  const world = createDispatchWorld();
  const endpoint = await world.addWorker('w1');
  const jobId = await world.addJob();
  await dispatchPending(world.deps);
  await world.table.jobs.update({
    guard: { jobId, statuses: ['assigned'] },
    patch: { status: 'running', startedAt: world.clock.iso(), eventSequence: 1 },
  });
  const other = await world.addWorker('w2');
  return { world, endpoint, other, jobId };
};

const handlerOf = (world: DispatchWorld) =>
  createDispatchHandler({ ...world.deps, instances: world.table.instances, addressPolicy: 'private' });

/** A minute, with its heartbeats, sweep and pass. */
const minute = async (world: DispatchWorld): Promise<void> => {
  world.clock.advance(61_000);
  await world.heartbeat();
  await sweep(world.deps);
  await dispatchPending(world.deps);
};

describe('a monitor that dies while its ComfyUI lives', () => {
  test('has its prompt ended before the next attempt begins', async () => {
    const { world, endpoint, other, jobId } = await running();
    world.silent.add('w1');
    await minute(world);
    expect(world.comfyUi.interrupted).toHaveLength(1);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    expect(worker(world, 'w1')).toMatchObject({ condition: 'lost', held: [] });
    await minute(world);
    expect(runningAt(world, endpoint)).toEqual([]);
    expect(runningAt(world, other)).toEqual([jobId]);
  });

  test('and the prompt ignores it: it is asked thrice, then the worker is not free while it runs', async () => {
    const { world, endpoint, jobId } = await running();
    world.comfyUi.stuck.add(endpoint);
    world.silent.add('w1');
    await minute(world);
    await minute(world);
    expect(world.job(jobId)).toMatchObject({ status: 'running', attempt: 1, endingReason: null });
    await minute(world);
    expect(world.comfyUi.ended).toHaveLength(3);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    // Its monitor is back, and what we gave it runs on.
    world.silent.delete('w1');
    await minute(world);
    expect(worker(world, 'w1')).toMatchObject({ condition: 'ready' });
    expect(heldBy(world, 'w1')).toEqual([jobId]);
    expect(world.job(jobId)).toMatchObject({ workerId: 'w2', attempt: 2 });
    world.comfyUi.stuck.delete(endpoint);
    await minute(world);
    expect(heldBy(world, 'w1')).toEqual([]);
    expect(runningAt(world, endpoint)).toEqual([]);
    expect(world.job(jobId)).toMatchObject({ workerId: 'w2', attempt: 2 });
  });

  test('and the prompt never lets go: the worker is quarantined once it is back', async () => {
    const { world, endpoint } = await running();
    world.comfyUi.stuck.add(endpoint);
    world.silent.add('w1');
    for (let minutes = 0; minutes < 4; minutes += 1) await minute(world);
    world.silent.delete('w1');
    for (let minutes = 0; minutes < 10; minutes += 1) await minute(world);
    expect(worker(world, 'w1').quarantined).toBe(true);
  });

  test('and is back before the prompt has let go: its attempt goes on to its end there', async () => {
    const { world, endpoint, jobId } = await running();
    world.comfyUi.stuck.add(endpoint);
    world.silent.add('w1');
    await minute(world);
    world.silent.delete('w1');
    world.comfyUi.stuck.delete(endpoint);
    await world.comfyUi.endPrompt(endpoint, world.job(jobId).promptId!);
    await minute(world);
    expect(world.job(jobId)).toMatchObject({ status: 'running', attempt: 1 });
    await minute(world);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'interrupted' } });
  });
});

describe('a pod that dies', () => {
  test('gives its attempt up at once; should it come back with it, it is ended there', async () => {
    const { world, endpoint, jobId } = await running();
    world.silent.add('w1');
    world.comfyUi.down.add(endpoint);
    await minute(world);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    await minute(world);
    expect(world.job(jobId)).toMatchObject({ workerId: 'w2', attempt: 2 });
    expect(runningAt(world, endpoint)).toEqual([jobId]);
    world.comfyUi.down.delete(endpoint);
    const { bootId, clientId } = worker(world, 'w1');
    const again = { workerId: 'w1', clientId, bootId, sequence: 90, comfyuiUrl: 'http://10.0.3.17:8188' };
    await world.table.workers.register({
      ...again,
      endpoint,
      comfyuiVersion: null,
      tags: [],
      timestamp: world.clock.iso(),
    });
    await handlerOf(world)(makeEvent('Monitor Initialized', again));
    expect(runningAt(world, endpoint)).toEqual([]);
    expect(heldBy(world, 'w1')).toEqual([]);
    expect(world.job(jobId)).toMatchObject({ workerId: 'w2', attempt: 2 });
  });

  test('and never comes back holds nothing after ten minutes', async () => {
    const { world, endpoint } = await running();
    world.silent.add('w1');
    world.comfyUi.down.add(endpoint);
    for (let minutes = 0; minutes < 12; minutes += 1) await minute(world);
    expect(heldBy(world, 'w1')).toEqual([]);
  });

  test('and whose job was cancelled has the prompt ended when it is back, and not before that its slot', async () => {
    const { world, endpoint, jobId } = await running();
    world.silent.add('w1');
    world.comfyUi.down.add(endpoint);
    await cancelJob({ jobId }, world.deps);
    await minute(world);
    expect(world.job(jobId).status).toBe('cancelled');
    const told = world.publisher.events.find(({ detailType }) => detailType === 'Task Cancelled')!;
    await handlerOf(world)(makeEvent('Task Cancelled', told.detail as never));
    expect(heldBy(world, 'w1')).toEqual([jobId]);
    world.comfyUi.down.delete(endpoint);
    world.silent.delete('w1');
    await minute(world);
    expect(runningAt(world, endpoint)).toEqual([]);
    expect(heldBy(world, 'w1')).toEqual([]);
  });
});

describe('a pod that dies while its monitor lives', () => {
  const beatFailed = async (world: DispatchWorld, sequence: number): Promise<void> => {
    const { workerId, clientId, bootId } = worker(world, 'w1');
    const report = { workerId, clientId, bootId, sequence, timestamp: world.clock.iso() };
    await world.table.workers.heartbeat({ ...report, available: false });
  };
  /** Thirty seconds, in which its monitor reports that ComfyUI does not answer. */
  const fail = async (world: DispatchWorld, times: number): Promise<void> => {
    world.silent.add('w1');
    for (let time = 0; time < times; time += 1) {
      world.clock.advance(30_000);
      await world.heartbeat();
      await beatFailed(world, Math.floor(world.clock.now() / 1000));
      await sweep(world.deps);
    }
  };

  test('has its attempt repeated after a minute', async () => {
    const { world, endpoint, jobId } = await running();
    world.comfyUi.down.add(endpoint);
    await fail(world, 3);
    expect(world.job(jobId).status).toBe('running');
    await fail(world, 1);
    expect(worker(world, 'w1').condition).toBe('failed');
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
  });

  test('even if it has taken too long meanwhile', async () => {
    const { world, endpoint, jobId } = await running();
    await world.table.jobs.update({
      guard: { jobId, statuses: ['running'] },
      patch: { endingSince: world.clock.iso(), endingReason: 'timeout' },
    });
    world.comfyUi.down.add(endpoint);
    await fail(world, 4);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
  });

  test('keeps it when it answers after all', async () => {
    const { world, endpoint, jobId } = await running();
    world.comfyUi.down.add(endpoint);
    await fail(world, 3);
    world.comfyUi.down.delete(endpoint);
    await fail(world, 5);
    expect(world.job(jobId)).toMatchObject({ status: 'running', attempt: 1 });
    expect(world.comfyUi.ended).toEqual([]);
  });
});
