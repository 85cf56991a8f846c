/** One pass: what is dispatched, what ComfyUI is sent, and entries that nothing waits for. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, WORKFLOW } from '../../adapters/test-support/dispatch-world.ts';
import { makeAssignedJob, makeJob, NO_NEEDS, uuidOf } from '../test-support/fixtures.ts';
import { uuidV5 } from '../uuid-v5.ts';
import { dispatchPending } from './dispatch.ts';

describe('the order of dispatch', () => {
  test('is priority, then age', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const order: string[] = [];
    const ids: Record<string, string> = {};
    for (const [name, priority] of [
      ['low', 0],
      ['middle-old', 5],
      ['middle-new', 5],
      ['high', 10],
    ] as const) {
      ids[name] = await world.addJob({ priority });
      world.clock.advance(1000);
    }
    for (let round = 0; round < 4; round += 1) {
      await dispatchPending(world.deps);
      const prompt = world.comfyUi.queued.at(-1)!;
      order.push(prompt.jobId);
      await world.complete(prompt);
    }
    expect(order).toEqual([ids['high'], ids['middle-old'], ids['middle-new'], ids['low']]);
  });

  test('gives each idle worker one job, the longest idle first, and no busy one a second', async () => {
    const world = createDispatchWorld();
    for (const worker of ['w1', 'w2', 'w3']) await world.addWorker(worker);
    for (let index = 0; index < 5; index += 1) await world.addJob();
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 3, idleWorkers: 3 });
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0, idleWorkers: 0 });
    expect(new Set(world.comfyUi.queued.map(({ endpoint }) => endpoint)).size).toBe(3);
  });

  test('is not held up by more retries that wait their time than one read brings', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    for (let index = 0; index < 230; index += 1) {
      const jobId = uuidOf(10_000 + index);
      const queuedAt = world.clock.iso(-index);
      await world.table.jobs.create(makeJob({ jobId, priority: 10, queuedAt, attempt: 1 }));
      await world.table.queue.put({
        jobId,
        userId: 'user-1',
        priority: 10,
        queuedAt,
        notBefore: world.clock.iso(60_000),
        needs: NO_NEEDS,
      });
    }
    const due = await world.addJob({ priority: 0 });
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.comfyUi.queued.map(({ jobId }) => jobId)).toEqual([due]);
  });
});

describe('what ComfyUI is sent', () => {
  test('keeps every digit and names whose prompt it is', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    const { body } = world.comfyUi.posted[0]!;
    expect(body).toContain(`"prompt":${WORKFLOW}`);
    expect(body).toContain('"seed":18446744073709551615');
    const parsed = JSON.parse(body) as Record<string, unknown>;
    expect(parsed).toMatchObject({
      client_id: 'monitor-w1',
      prompt_id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      extra_data: { jobId, userId: 'user-1', sessionId: 's', attempt: 1 },
    });
    expect(world.job(jobId)).toMatchObject({
      status: 'assigned',
      attempt: 1,
      promptId: parsed['prompt_id'],
      workerId: 'w1',
      clientId: 'monitor-w1',
    });
    expect(world.publisher.events).toMatchObject([
      { detailType: 'Task Submitted' },
      { detailType: 'Task Dispatched', detail: { eventId: uuidV5(`${jobId}:1:Task Dispatched`) } },
    ]);
  });

  test('followers learn of the assignment', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    await world.table.subscriptions.subscribe(jobId, 'user-1', 'c1');
    await dispatchPending(world.deps);
    expect(world.pusher.sent).toMatchObject([
      { connectionId: 'c1', message: { type: 'job_snapshot', status: 'assigned', sequence: 2 } },
    ]);
  });
});

describe('entries that nothing waits for', () => {
  const entry = (jobId: string, queuedAt: string) => ({
    jobId,
    userId: 'user-1',
    priority: 5,
    queuedAt,
    notBefore: null,
    needs: NO_NEEDS,
  });

  test.each([
    ['whose job ended', { status: 'completed', completedAt: '2026-11-22T09:00:00.000Z' }, -1000, 'removed'],
    [
      'older than the running assignment',
      { status: 'running', assignedAt: '2026-11-22T10:00:00.000Z' },
      -1,
      'removed',
    ],
    ['of an earlier wait of a pending job', { status: 'pending' }, -1000, 'removed'],
    ['of a retry that lost its race', { status: 'pending' }, 1000, 'removed'],
    ['of a retry whose second write is still to come', { status: 'running' }, 1000, 'kept'],
  ] as const)('%s', async (_what, job, age, fate) => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = uuidOf(500);
    const make = job.status === 'pending' ? makeJob : makeAssignedJob;
    await world.table.jobs.create(make({ jobId, ...job }));
    await world.table.queue.put(entry(jobId, world.clock.iso(age)));
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    expect(await world.entriesOf(jobId)).toHaveLength(fate === 'kept' ? 1 : 0);
    expect(world.job(jobId).status).toBe(job.status);
    expect(world.comfyUi.posted).toEqual([]);
  });

  test('of a submission that died are removed after a minute, and not before', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = uuidOf(501);
    await world.table.queue.put(entry(jobId, world.clock.iso()));
    world.clock.advance(60_000);
    await dispatchPending(world.deps);
    expect(await world.entriesOf(jobId)).toHaveLength(1);
    world.clock.advance(1);
    await dispatchPending(world.deps);
    expect(await world.entriesOf(jobId)).toEqual([]);
  });
});
