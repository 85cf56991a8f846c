import { describe, expect, test } from '@jest/globals';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import type { Job } from './job.ts';
import { entryOf } from './queue-entry.ts';
import { outlookOf } from './task-outlook.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import { JOB_ID, makeAssignedJob, makeJob, makeRegistration, uuidOf } from './test-support/fixtures.ts';

const setUp = () => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  let count = 0;
  /** One more job of that user, queued a second after the one before. */
  const enqueue = async (userId: string, overrides: Partial<Job> = {}): Promise<Job> => {
    count += 1;
    clock.advance(1000);
    const job = makeJob({ jobId: uuidOf(count), userId, queuedAt: clock.iso(), ...overrides });
    await table.queue.put(entryOf(job));
    return job;
  };
  const addWorker = (workerId: string, tags: readonly string[] = []) =>
    table.workers.register(makeRegistration({ workerId, tags }));
  /** The user had one job, which took that long. */
  const took = async (userId: string, ms: number): Promise<void> => {
    await enqueue(userId).then((job) => table.queue.remove(entryOf(job)));
    const share = await table.shares.get(userId);
    if (share === undefined) throw new Error('no share');
    const claim = { jobId: JOB_ID, attempt: 1, chargedMs: ms, startMs: share.finishMs, cap: 1000 };
    await table.shares.claim(share, claim);
    await table.shares.release(userId, JOB_ID, 1, ms);
  };
  const hold = (workerId: string, jobId: string, userId: string) =>
    table.workers.claim(workerId, { jobId, attempt: 1, userId, assignedAt: clock.iso() }, 3);
  const outlook = (job: Job) => outlookOf(job, clock.now(), table);
  const position = async (job: Job) => (await outlook(job)).queuePosition;
  const eta = async (job: Job) => (await outlook(job)).etaSeconds;
  return { clock, table, enqueue, addWorker, took, hold, outlook, position, eta };
};

describe('the place in the queue', () => {
  test('counts the own tasks that come before, by priority and age', async () => {
    const { enqueue, position } = setUp();
    const first = await enqueue('a');
    const second = await enqueue('a');
    const urgent = await enqueue('a', { priority: 10 });
    expect([await position(urgent), await position(first), await position(second)]).toEqual([1, 2, 3]);
  });

  test('is found behind hundreds', async () => {
    const { enqueue, position } = setUp();
    for (let n = 0; n < 450; n += 1) await enqueue('a');
    expect(await position(await enqueue('a'))).toBe(451);
  });

  test('is an estimate behind more than a thousand', async () => {
    const { enqueue, position } = setUp();
    for (let n = 0; n < 1250; n += 1) await enqueue('a');
    expect(await position(await enqueue('a'))).toBeGreaterThan(1000);
  });

  test('takes turns with other users: a flood of theirs counts as many as come before', async () => {
    const { enqueue, position } = setUp();
    for (let n = 0; n < 50; n += 1) await enqueue('flood');
    const first = await enqueue('a');
    const second = await enqueue('a');
    expect(await position(first)).toBeLessThanOrEqual(2);
    expect(await position(second)).toBeGreaterThanOrEqual(3);
    expect(await position(second)).toBeLessThanOrEqual(4);
  });

  test('lets users go first who have had less', async () => {
    const { enqueue, took, position } = setUp();
    await took('a', 60_000);
    const mine = await enqueue('a');
    for (let n = 0; n < 3; n += 1) await enqueue('newcomer');
    // The newcomer starts at the virtual time, which the start of the last task is: a minute behind.
    expect(await position(mine)).toBe(4);
  });

  test('ignores users who are paused and users who wait for nothing', async () => {
    const { table, enqueue, took, position } = setUp();
    await took('a', 60_000);
    await enqueue('paused');
    await table.shares.setPaused('paused', true);
    const mine = await enqueue('a');
    expect(await position(mine)).toBe(1);
  });

  test('stays bounded, however many users wait', async () => {
    const { enqueue, took, position, table } = setUp();
    await took('a', 60_000);
    const mine = await enqueue('a');
    for (let n = 0; n < 60; n += 1) await enqueue(`user-${n}`);
    const before = table.faults.calls.length;
    expect(await position(mine)).toBe(61);
    expect(table.faults.calls.length - before).toBeLessThan(30);
  });

  test.each(['assigned', 'running', 'completed', 'failed', 'cancelled'] as const)(
    'is none for a task that is %s',
    async (status) => {
      const { position } = setUp();
      expect(await position(makeAssignedJob({ status }))).toBeNull();
    },
  );

  test('is the first for a task that is being dispatched this moment', async () => {
    const { enqueue, outlook } = setUp();
    await enqueue('user-1');
    expect(await outlook(makeJob())).toEqual({ queuePosition: 1, etaSeconds: null });
  });
});

describe('the time until the end of a pending task', () => {
  test('is what such tasks took, on an idle worker', async () => {
    const { enqueue, took, addWorker, eta } = setUp();
    await took('a', 30_000);
    await addWorker('pod-1');
    expect(await eta(await enqueue('a'))).toBe(30);
  });

  test('adds what comes before, over all workers', async () => {
    const { enqueue, took, addWorker, eta } = setUp();
    await took('a', 30_000);
    await addWorker('pod-1');
    for (let n = 0; n < 3; n += 1) await enqueue('a');
    const fourth = await enqueue('a');
    expect(await eta(fourth)).toBe(120);
    await addWorker('pod-2');
    expect(await eta(fourth)).toBe(60);
  });

  test('adds what the workers hold, less what of it has passed', async () => {
    const { clock, enqueue, took, addWorker, hold, eta } = setUp();
    await took('a', 30_000);
    await addWorker('pod-1');
    const job = await enqueue('a');
    await hold('pod-1', uuidOf(900), 'a');
    expect(await eta(job)).toBe(60);
    clock.advance(20_000);
    expect(await eta(job)).toBe(40);
    clock.advance(600_000);
    expect(await eta(job)).toBe(30);
  });

  test('waits for the delay of a retry', async () => {
    const { clock, table, took, addWorker, eta } = setUp();
    await took('user-1', 30_000);
    await addWorker('pod-1');
    const job = makeJob();
    await table.queue.put(entryOf(job, job.queuedAt, clock.iso(100_000)));
    expect(await eta(job)).toBe(130);
  });

  test('goes by other users where nothing is known of its own', async () => {
    const { enqueue, took, addWorker, eta } = setUp();
    await took('b', 20_000);
    await addWorker('pod-1');
    expect(await eta(await enqueue('a'))).toBe(20);
  });

  test.each<[string, (world: ReturnType<typeof setUp>) => Promise<unknown>]>([
    ['no worker is there', async ({ took }) => took('a', 1000)],
    [
      'no worker has its tags',
      async ({ took, addWorker }) => [await took('a', 1000), await addWorker('x', ['b'])],
    ],
    ['nothing ever ended', async ({ addWorker }) => addWorker('x', ['gpu'])],
    [
      'the queue of the user is paused',
      async ({ took, addWorker, table }) => [
        await took('a', 1000),
        await addWorker('x', ['gpu']),
        await table.shares.setPaused('a', true),
      ],
    ],
    [
      'every queue is paused',
      async ({ took, addWorker, table }) => [
        await took('a', 1000),
        await addWorker('x', ['gpu']),
        await table.shares.setAllPaused(true),
      ],
    ],
    [
      'the worker ignores interrupts',
      async ({ took, addWorker, table }) => [
        await took('a', 1000),
        await addWorker('x', ['gpu']),
        await table.workers.quarantine('x', '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f001'),
      ],
    ],
  ])('is unknown while %s', async (_what, prepare) => {
    const world = setUp();
    await prepare(world);
    const job = await world.enqueue('a', { needs: { classes: [], models: [], tags: ['gpu'] } });
    expect(await world.outlook(job)).toMatchObject({ queuePosition: 1, etaSeconds: null });
  });
});

describe('the time until the end of a task that a worker has', () => {
  const running = (world: ReturnType<typeof setUp>, percentage: number | null): Job => {
    const progress = percentage === null ? null : ({ overallPercentage: percentage } as Job['progress']);
    return makeAssignedJob({ status: 'running', startedAt: world.clock.iso(), progress });
  };

  test.each([
    ['what such tasks took, less what has passed', null, 30_000, 10_000, 20],
    ['nothing more, when it takes longer than they did', null, 30_000, 50_000, 0],
    ['its own progress, once that says something', 25, 30_000, 10_000, 30],
    ['what such tasks took, while its progress says little', 2, 30_000, 10_000, 20],
  ])('goes by %s', async (_what, percentage, average, elapsed, expected) => {
    const world = setUp();
    await world.took('user-1', average);
    const job = running(world, percentage);
    world.clock.advance(elapsed);
    expect(await world.eta(job)).toBe(expected);
  });

  test('is what its monitor told, counted down, but never to less than it held possible', async () => {
    const world = setUp();
    const told = { overallPercentage: 40, eta: { lowSeconds: 20, highSeconds: 30 } } as Job['progress'];
    const job = { ...running(world, null), progress: told, updatedAt: world.clock.iso() };
    const etas: (number | null)[] = [];
    for (const ms of [0, 3000, 20_000, 37_000, 1]) {
      world.clock.advance(ms);
      etas.push(await world.eta(job));
    }
    expect(etas).toEqual([25, 22, 20, 20, null]);
  });

  test('is unknown once its progress is a minute old, whatever such tasks took', async () => {
    const world = setUp();
    await world.took('user-1', 600_000);
    const job = { ...running(world, 82), updatedAt: world.clock.iso() };
    world.clock.advance(60_000);
    expect(await world.eta(job)).toBe(13);
    world.clock.advance(1);
    expect(await world.eta(job)).toBeNull();
  });

  test('is unknown of one that takes more than three times as long as such tasks and of which its monitor cannot tell', async () => {
    const world = setUp();
    await world.took('user-1', 5000);
    const job = running(world, 82);
    world.clock.advance(15_001);
    const fresh = { ...job, updatedAt: world.clock.iso() };
    expect(await world.eta(fresh)).toBeNull();
    const told = { ...fresh.progress, eta: { lowSeconds: 8, highSeconds: 10 } } as Job['progress'];
    expect(await world.eta({ ...fresh, progress: told })).toBe(9);
  });

  test('is by progress alone where nothing ever ended, and unknown without any', async () => {
    const world = setUp();
    const [little, none] = [running(world, 5), running(world, null)];
    world.clock.advance(10_000);
    expect([await world.eta(little), await world.eta(none)]).toEqual([190, null]);
  });

  test('counts what its worker runs before it', async () => {
    const { clock, took, addWorker, hold, eta } = setUp();
    await took('user-1', 30_000);
    await addWorker('pod-1');
    await hold('pod-1', uuidOf(900), 'user-1');
    await hold('pod-1', JOB_ID, 'user-1');
    clock.advance(10_000);
    expect(await eta(makeAssignedJob())).toBe(50);
  });

  test.each([
    ['its outputs are being stored', { storingSince: '2026-11-22T10:00:00.000Z' }],
    ['it is being cancelled', { cancelRequestedAt: '2026-11-22T10:00:00.000Z' }],
  ])('is unknown while %s', async (_what, overrides) => {
    const world = setUp();
    await world.took('user-1', 30_000);
    expect(await world.eta({ ...running(world, 50), ...overrides })).toBeNull();
  });
});
