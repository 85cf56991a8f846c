/** Silent workers, lost prompts, slots that nothing holds. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import type { JobStore } from '../ports.ts';
import { statusOf as statusOfWorker } from '../worker.ts';
import { dispatchPending } from './dispatch.ts';
import { START_GRACE_MS, sweep, UNREACHABLE_MS } from './sweep.ts';

const WORKER_LEASE_MS = 60_000;

const statusOf = (world: DispatchWorld, workerId: string): string | undefined => {
  const found = world.table.allWorkers().find((worker) => worker.workerId === workerId);
  return found === undefined ? undefined : statusOfWorker(found);
};

const slotOf = (world: DispatchWorld, jobId: string) => ({
  jobId,
  attempt: 1,
  userId: 'user-1',
  assignedAt: world.clock.iso(),
});

/** The world's jobs, with one call of them changed. */
const jobsWith = ({ table: { jobs } }: DispatchWorld, changed: Partial<JobStore>): JobStore => ({
  create: (job) => jobs.create(job),
  get: (jobId) => jobs.get(jobId),
  update: (change) => jobs.update(change),
  ...changed,
});

describe('the sweep', () => {
  /** One job, dispatched to w1; w2 looks on. */
  const dispatched = async (max_retries = 3) => {
    const world = createDispatchWorld();
    const endpoint = await world.addWorker('w1');
    const jobId = await world.addJob({ max_retries });
    await dispatchPending(world.deps);
    await world.addWorker('w2');
    return { world, endpoint, jobId };
  };
  const pass = async (world: DispatchWorld, ms: number): Promise<void> => {
    world.clock.advance(ms);
    await world.heartbeat();
    await sweep(world.deps);
  };

  test('leaves a healthy attempt alone', async () => {
    const { world, jobId } = await dispatched();
    await pass(world, 60_000);
    const before = world.job(jobId);
    // Its monitor has not said so yet, and ComfyUI has.
    expect(before).toMatchObject({ status: 'running', startedAt: world.clock.iso(), attempt: 1 });
    for (let minute = 0; minute < 10; minute += 1) await pass(world, 60_000);
    expect(world.job(jobId)).toEqual(before);
  });

  test('a worker that fell silent is lost, and its job goes to another', async () => {
    const { world, jobId } = await dispatched();
    world.silent.add('w1');
    await pass(world, WORKER_LEASE_MS);
    expect(statusOf(world, 'w1')).toBe('busy');
    await pass(world, 1);
    expect(statusOf(world, 'w1')).toBe('lost');
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    world.clock.advance(10_000);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(jobId)).toMatchObject({ workerId: 'w2', attempt: 2 });
  });

  test('a sweep that died after it had marked the worker lost is finished by the next', async () => {
    const { world, jobId } = await dispatched();
    await world.table.jobs.update({ guard: { jobId, statuses: ['assigned'] }, patch: { status: 'running' } });
    world.silent.add('w1');
    world.clock.advance(WORKER_LEASE_MS + 1);
    await world.heartbeat();
    world.table.fail('jobs', 'update', 2);
    await sweep(world.deps);
    expect(statusOf(world, 'w1')).toBe('lost');
    expect(world.job(jobId).status).toBe('running');
    await sweep(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    expect(world.table.allWorkers()[0]?.held).toEqual([]);
  });

  test('a worker that stopped may finish what it runs, until it has been silent for its lease', async () => {
    const { world, jobId } = await dispatched();
    const { workerId, clientId, bootId } = world.table.allWorkers().find((each) => each.workerId === 'w1')!;
    await world.table.workers.stop({
      workerId,
      clientId,
      bootId,
      sequence: 50,
      timestamp: world.clock.iso(),
    });
    world.silent.add('w1');
    await pass(world, WORKER_LEASE_MS);
    expect(world.job(jobId).status).toBe('running');
    await pass(world, 1);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    expect(statusOf(world, 'w1')).toBe('stopped');
  });

  test('a prompt that never reached its ComfyUI, or was lost by it, starts a new attempt', async () => {
    const { world, endpoint, jobId } = await dispatched();
    world.comfyUi.restart(endpoint);
    await pass(world, START_GRACE_MS - 1);
    expect(world.job(jobId).status).toBe('assigned');
    await pass(world, 1);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'dispatchFailed' } });
    expect(statusOf(world, 'w1')).toBe('idle');
  });

  test('a ComfyUI that cannot be asked keeps its job for five minutes and no longer', async () => {
    const { world, endpoint, jobId } = await dispatched();
    world.comfyUi.down.add(endpoint);
    await pass(world, UNREACHABLE_MS);
    expect(world.job(jobId).status).toBe('assigned');
    await pass(world, START_GRACE_MS);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerStalled' } });
  });

  test('a busy worker whose job has ended is free again', async () => {
    const { world, jobId } = await dispatched();
    await world.table.jobs.update({
      guard: { jobId, statuses: ['assigned'] },
      patch: { status: 'completed', completedAt: world.clock.iso() },
    });
    await pass(world, START_GRACE_MS);
    expect(statusOf(world, 'w1')).toBe('idle');
    expect(world.job(jobId).status).toBe('completed');
  });

  test("a worker that claimed a job which another runs is freed, and the other's attempt goes on", async () => {
    const { world, jobId } = await dispatched();
    await world.table.workers.claim('w2', slotOf(world, jobId), 1);
    await pass(world, START_GRACE_MS);
    expect(statusOf(world, 'w2')).toBe('idle');
    expect(world.job(jobId)).toMatchObject({ status: 'running', workerId: 'w1', attempt: 1 });
  });

  test('a claim without assignment falls when its worker is lost, and harms no attempt of another', async () => {
    const { world, jobId } = await dispatched();
    await world.table.workers.claim('w2', slotOf(world, jobId), 1);
    world.silent.add('w2');
    await pass(world, WORKER_LEASE_MS + 1);
    expect(statusOf(world, 'w2')).toBe('lost');
    expect(world.job(jobId)).toMatchObject({ status: 'running', workerId: 'w1', attempt: 1 });
  });

  test('an attempt whose outputs are being stored is not ended, only its worker is freed', async () => {
    const { world, jobId } = await dispatched();
    await world.table.jobs.update({
      guard: { jobId, statuses: ['assigned'] },
      patch: { status: 'running', storingSince: world.clock.iso() },
    });
    world.silent.add('w1');
    await pass(world, WORKER_LEASE_MS + 1);
    expect(world.job(jobId).status).toBe('running');
    expect(world.table.allWorkers()[0]).toMatchObject({ condition: 'lost', held: [] });
  });

  test('an event that arrives while the sweep decides wins', async () => {
    const { world, jobId } = await dispatched();
    world.silent.add('w1');
    let raced = false;
    const jobs = jobsWith(world, {
      update: async (change) => {
        if (!raced) {
          raced = true;
          await world.table.jobs.update({
            guard: { jobId, statuses: ['assigned'] },
            patch: { status: 'running', eventSequence: 1, storingSince: world.clock.iso() },
          });
        }
        return world.table.jobs.update(change);
      },
    });
    world.clock.advance(WORKER_LEASE_MS + 1);
    await sweep({ ...world.deps, jobs });
    expect(world.job(jobId)).toMatchObject({ status: 'running', retryCount: 0 });
    expect(await world.entriesOf(jobId)).toEqual([]);
  });

  test('a job without retries left fails when its worker is lost', async () => {
    const { world, jobId } = await dispatched(0);
    world.silent.add('w1');
    await pass(world, WORKER_LEASE_MS + 1);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'workerLost' } });
    expect(await world.table.allQueue()).toEqual([]);
  });

  test('one worker that cannot be swept keeps no other from it', async () => {
    const { world, jobId } = await dispatched();
    world.silent.add('w1');
    world.silent.add('w2');
    world.clock.advance(WORKER_LEASE_MS + 1);
    world.table.fail('jobs', 'get', 1);
    await sweep(world.deps);
    expect(statusOf(world, 'w2')).toBe('lost');
    expect(world.logger.lines).toContainEqual(expect.objectContaining({ code: 'sweep.failed' }));
    await sweep(world.deps);
    expect(world.job(jobId).status).toBe('pending');
  });
});
