/** Which worker gets which job. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { createWorkerPool } from './choose-worker.ts';
import { dispatchPending } from './dispatch.ts';

const placeOf = (world: DispatchWorld, jobId: string): string | null => world.job(jobId).workerId;
const codes = (world: DispatchWorld): readonly string[] => world.logger.lines.map(({ code }) => code);

describe('a job goes only where it can run', () => {
  test('by the nodes of its workflow', async () => {
    const world = createDispatchWorld();
    for (const id of ['w1', 'w2', 'w3']) await world.addWorker(id);
    await world.teach('w1', ['SaveImage']);
    await world.teach('w2', ['KSampler', 'SaveImage']);
    await world.teach('w3', ['Video']);
    const jobId = await world.addJob({ needs: { classes: ['KSampler', 'SaveImage'] } });
    await dispatchPending(world.deps);
    expect(placeOf(world, jobId)).toBe('w2');
  });

  test('by tags, all of them', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1', ['gpu']);
    await world.addWorker('w2', ['gpu', 'big']);
    const jobId = await world.addJob({ needs: { tags: ['big', 'gpu'] } });
    await dispatchPending(world.deps);
    expect(placeOf(world, jobId)).toBe('w2');
  });

  test('one that no worker can run waits, does not hold up the others, and is said once a pass', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.teach('w1', ['SaveImage']);
    const video = await world.addJob({ priority: 10, needs: { classes: ['Video'], tags: ['big'] } });
    await world.addJob({ priority: 10, needs: { classes: ['Video'] } });
    const image = await world.addJob({ needs: { classes: ['SaveImage'] } });
    await dispatchPending(world.deps);
    expect(placeOf(world, image)).toBe('w1');
    expect(world.job(video)).toMatchObject({ status: 'pending', attempt: 0 });
    const said = world.logger.lines.filter(({ code }) => code === 'dispatch.no-worker-can');
    expect(said).toMatchObject([
      { level: 'warn', data: { jobs: 2, jobId: video, missing: ['tag "big"', 'node class "Video"'] } },
    ]);
    await world.addWorker('w2', ['big']);
    await world.teach('w2', ['Video']);
    await dispatchPending(world.deps);
    expect(placeOf(world, video)).toBe('w2');
  });

  test('one that a busy worker could run just waits', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addWorker('w2');
    await world.teach('w1', ['Video']);
    await world.teach('w2', ['SaveImage']);
    await world.addJob({ needs: { classes: ['Video'] } });
    await world.addJob({ needs: { classes: ['Video'] } });
    await dispatchPending(world.deps);
    expect(codes(world)).not.toContain('dispatch.no-worker-can');
  });

  test('a worker of which nothing is known may be given anything, but others come first', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addWorker('w2');
    await world.teach('w2', ['KSampler']);
    const first = await world.addJob({ needs: { classes: ['KSampler'] } });
    const second = await world.addJob({ needs: { classes: ['KSampler'] } });
    await dispatchPending(world.deps);
    expect([placeOf(world, first), placeOf(world, second)]).toEqual(['w2', 'w1']);
  });

  test('a refusal of such a worker proves nothing while another is known to have what it takes', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addWorker('w2');
    await world.teach('w2', ['KSampler']);
    await world.addJob({ needs: { classes: ['KSampler'] } });
    const jobId = await world.addJob({ needs: { classes: ['KSampler'] } });
    world.comfyUi.script('accept', 'reject');
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 0, failure: null });
    expect(world.table.allWorkers()[0]).toMatchObject({
      workerId: 'w1',
      avoidUntil: world.clock.iso(30_000),
    });
  });

  test('a catalogue that cannot be read keeps nobody waiting', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.teach('w1', ['SaveImage']);
    world.table.fail('catalogues', 'get', 1);
    const jobId = await world.addJob({ needs: { classes: ['KSampler'] } });
    await dispatchPending(world.deps);
    expect(placeOf(world, jobId)).toBe('w1');
    expect(codes(world)).toContain('dispatch.catalogue-unread');
  });

  test('a class called like a member of every object is needed like any other', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.teach('w1', ['SaveImage']);
    const jobId = await world.addJob({ needs: { classes: ['constructor'] } });
    await dispatchPending(world.deps);
    expect(world.job(jobId).status).toBe('pending');
  });
});

describe('prefetch', () => {
  test('gives idle workers work first, then one more each', async () => {
    const world = createDispatchWorld({ prefetchDepth: 1 });
    await world.addWorker('w1');
    await world.addWorker('w2');
    const jobs = [];
    for (let index = 0; index < 5; index += 1) jobs.push(await world.addJob());
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 4, freeSlots: 4, idleWorkers: 2 });
    expect(jobs.map((jobId) => placeOf(world, jobId))).toEqual(['w1', 'w2', 'w1', 'w2', null]);
  });

  test('a retry goes to another worker than before, if one is as free', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addWorker('w2');
    const jobId = await world.addJob();
    world.comfyUi.script('serverError');
    await dispatchPending(world.deps);
    world.clock.advance(10_000);
    // w1 has been idle for longer by now.
    await dispatchPending(world.deps);
    expect(world.comfyUi.posted.map(({ endpoint }) => new URL(endpoint).hostname)).toEqual(['w1', 'w2']);
    expect(placeOf(world, jobId)).toBe('w2');
  });
});

describe('who is not given work', () => {
  test.each([
    ['drains', { condition: 'draining' }],
    ['is quarantined', { quarantined: true }],
    ['is lost', { condition: 'lost' }],
    ['is avoided', { avoidUntil: '2026-11-22T10:00:00.001Z' }],
  ] as const)('a worker that %s', async (_what, state) => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const workers = [{ ...world.table.allWorkers()[0]!, ...state }];
    const pool = createWorkerPool(workers, new Map(), { depth: 1, now: () => world.clock.now() });
    expect(pool.hasFree()).toBe(false);
  });

  test('a worker that chokes on three jobs in a row is left alone; one that chokes on one is not', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    for (let index = 0; index < 4; index += 1) await world.addJob();
    world.comfyUi.script('serverError', 'serverError', 'serverError');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    expect(world.comfyUi.posted).toHaveLength(3);
    expect(world.table.allWorkers()[0]?.avoidUntil).toBe(world.clock.iso(30_000));
  });

  test('a prompt that it takes in between makes it count anew', async () => {
    const world = createDispatchWorld({ prefetchDepth: 8 });
    await world.addWorker('w1');
    for (let index = 0; index < 5; index += 1) await world.addJob();
    world.comfyUi.script('serverError', 'serverError', 'accept', 'serverError', 'serverError');
    await dispatchPending(world.deps);
    expect(world.table.allWorkers()[0]?.avoidUntil).toBeNull();
  });
});
