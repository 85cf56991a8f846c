import { describe, expect, test } from '@jest/globals';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeCatalogueStore } from '../adapters/s3/catalogue-store.fake.ts';
import type { Job } from './job.ts';
import type { CatalogueStore } from './ports.ts';
import { entryOf } from './queue-entry.ts';
import { outlookOf } from './task-outlook.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import { createSilentLogger, makeJob, makeRegistration, uuidOf } from './test-support/fixtures.ts';

const setUp = () => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const logger = createSilentLogger();
  const catalogues = table.faults.wrap<CatalogueStore>('catalogues', createFakeCatalogueStore());
  let count = 0;
  const enqueue = async (userId: string, overrides: Partial<Job> = {}): Promise<Job> => {
    count += 1;
    clock.advance(1000);
    const job = makeJob({ jobId: uuidOf(count), userId, queuedAt: clock.iso(), ...overrides });
    await table.queue.put(entryOf(job));
    return job;
  };
  const addWorker = (workerId: string, tags: readonly string[] = []) =>
    table.workers.register(makeRegistration({ workerId, tags }));
  const hold = (workerId: string, jobId: string, userId: string) =>
    table.workers.claim(workerId, { jobId, attempt: 1, userId, assignedAt: clock.iso() }, 3);
  const outlook = (job: Job) =>
    outlookOf(job, clock.now(), { ...table, catalogues, logger, maxRunningPerUser: 20 });
  const waiting = async (job: Job) => (await outlook(job)).waitingFor;
  return { clock, table, logger, catalogues, enqueue, addWorker, hold, outlook, waiting };
};
type World = ReturnType<typeof setUp>;

describe('what keeps a pending task besides those before it', () => {
  const needs = (overrides: Partial<Job['needs']>): Partial<Job> => ({
    needs: { classes: [], models: [], tags: [], ...overrides },
  });
  /** A worker of which it is known what it can run. */
  const addKnown = async (world: World, workerId: string, models: readonly string[]): Promise<void> => {
    const input = { type: 'COMBO', options: models };
    const loader = { outputNode: false, required: { name: input }, optional: {}, outputs: [] };
    await world.addWorker(workerId, ['eu']);
    await world.catalogues.put(workerId, { classes: { Loader: loader } });
    await world.table.workers.setCatalogue(workerId, workerId);
  };

  test('is nothing while a worker could take it, be it busy or not', async () => {
    const world = setUp();
    await world.addWorker('pod-1', ['gpu:l4', 'eu']);
    await world.hold('pod-1', uuidOf(900), 'b');
    expect(await world.waiting(await world.enqueue('a'))).toBeUndefined();
    expect(await world.waiting(await world.enqueue('a', needs({ tags: ['eu'] })))).toBeUndefined();
  });

  test.each([
    [['gpu:h100'], 'no worker has the tags gpu:h100'],
    [['eu', 'gpu:h100', 'x'], 'no worker has the tags gpu:h100, x'],
    [['eu', 'us'], 'no worker has all of the tags eu, us'],
  ])('is a worker with the tags %j', async (tags, message) => {
    const world = setUp();
    await world.addWorker('pod-1', ['eu']);
    await world.addWorker('pod-2', ['us']);
    expect(await world.waiting(await world.enqueue('a', needs({ tags })))).toBe(message);
  });

  test('is a worker that is ready', async () => {
    const world = setUp();
    expect(await world.waiting(await world.enqueue('a'))).toBe('no worker is ready');
    await world.addWorker('pod-1', ['eu']);
    await world.table.workers.setDraining('pod-1', true);
    expect(await world.waiting(await world.enqueue('a'))).toBe('no worker is ready');
    const job = await world.enqueue('a', needs({ tags: ['eu'] }));
    expect(await world.waiting(job)).toBe('no worker with the tags eu is ready');
  });

  test('is a model or a node that no worker with its tags has', async () => {
    const world = setUp();
    await addKnown(world, 'pod-1', ['a.safetensors']);
    await addKnown(world, 'pod-2', ['b.safetensors']);
    const message = async (overrides: Partial<Job['needs']>) =>
      world.waiting(await world.enqueue('a', needs({ tags: ['eu'], ...overrides })));
    expect(await message({ models: ['a.safetensors'], classes: ['Loader'] })).toBeUndefined();
    expect(await message({ models: ['x.safetensors'] })).toBe('no worker has the model "x.safetensors"');
    expect(await message({ classes: ['Other'] })).toBe('no worker has the node class "Other"');
    expect(await message({ models: ['a.safetensors', 'b.safetensors'] })).toBe(
      'no worker has all of its models and node classes',
    );
    await world.addWorker('pod-3', ['eu']);
    expect(await message({ models: ['x.safetensors'] })).toBeUndefined();
  });

  test('is a queue that is paused, the own one or all', async () => {
    const world = setUp();
    await world.addWorker('pod-1');
    const job = await world.enqueue('a');
    await world.table.shares.setPaused('a', true);
    expect(await world.waiting(job)).toBe('your queue is paused');
    await world.table.shares.setAllPaused(true);
    expect(await world.waiting(job)).toBe('the queue is paused');
  });

  test('is the limit of tasks under way', async () => {
    const world = setUp();
    await world.addWorker('pod-1');
    const job = await world.enqueue('a');
    for (let n = 0; n < 20; n += 1) {
      expect(await world.waiting(job)).toBeUndefined();
      const share = await world.table.shares.get('a');
      if (share === undefined) throw new Error('no share');
      const charge = { jobId: uuidOf(700 + n), attempt: 1, chargedMs: 1, startMs: share.finishMs, cap: 20 };
      expect(await world.table.shares.claim(share, charge)).toBe(true);
    }
    expect(await world.waiting(job)).toBe('your limit of 20 running tasks');
  });

  test('is the delay of a retry, until it is over', async () => {
    const { clock, table, addWorker, waiting } = setUp();
    await addWorker('pod-1');
    const job = makeJob();
    await table.queue.put(entryOf(job, job.queuedAt, clock.iso(100_000)));
    expect(await waiting(job)).toBe(`its next attempt, not before ${clock.iso(100_000)}`);
    clock.advance(100_000);
    expect(await waiting(job)).toBeUndefined();
  });

  test('is unknown, but the place in the queue is not, while the catalogues cannot be read', async () => {
    const world = setUp();
    await addKnown(world, 'pod-1', []);
    const job = await world.enqueue('a', needs({ models: ['x.safetensors'] }));
    world.table.fail('catalogues', 'get', 1);
    expect(await world.outlook(job)).toMatchObject({ queuePosition: 1, waitingFor: undefined });
    expect(world.logger.lines).toMatchObject([{ level: 'warn', code: 'task.catalogue-unread' }]);
    expect(await world.waiting(job)).toBe('no worker has the model "x.safetensors"');
  });

  test('is one line, however many tags of whatever length', async () => {
    const world = setUp();
    const tags = Array.from({ length: 16 }, (_, n) => `${n}${'x'.repeat(62)}`);
    const models = [`${'\u2028'.repeat(9)}.safetensors`];
    await addKnown(world, 'pod-1', []);
    for (const overrides of [{ tags }, { tags: ['eu'], models }]) {
      const message = await world.waiting(await world.enqueue('a', needs(overrides)));
      expect(message).toMatch(/^no worker has the [^\n\u2028]{1,280}$/);
    }
  });
});
