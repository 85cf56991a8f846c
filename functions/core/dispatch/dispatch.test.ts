import { describe, expect, test } from '@jest/globals';
import { PipelineError } from '../errors.ts';
import type { ComfyUi, JobStore } from '../ports.ts';
import { uuidV5 } from '../uuid-v5.ts';
import {
  createDispatchWorld,
  WORKFLOW,
  type DispatchWorld,
} from '../../adapters/test-support/dispatch-world.ts';
import { makeAssignedJob, makeJob, uuidOf } from '../test-support/fixtures.ts';
import { NO_NEEDS } from '../test-support/fixtures.ts';
import { statusOf as statusOfWorker } from '../worker.ts';
import { dispatchPending } from './dispatch.ts';
import { START_GRACE_MS, sweep, UNREACHABLE_MS, WORKER_LEASE_MS } from './sweep.ts';

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

describe('what ComfyUI answers', () => {
  test('rejected: the job fails at once, is not retried, and its worker serves the next', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const bad = await world.addJob();
    const good = await world.addJob();
    world.comfyUi.script('reject');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(bad)).toMatchObject({
      status: 'failed',
      retryCount: 0,
      failure: { reason: 'badWorkflow', nodeId: '4', nodeType: 'KSampler' },
    });
    expect(world.job(good).status).toBe('assigned');
    expect(await world.table.allQueue()).toEqual([]);
  });

  test('unknown, and it has the prompt: it counts as accepted', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    world.comfyUi.script('unknownQueued');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', retryCount: 0 });
    expect(world.comfyUi.posted).toHaveLength(1);
  });

  test('unknown, and it has it not: retried under a new prompt id, not before its time, on another worker', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    await world.addWorker('w2');
    const jobId = await world.addJob();
    world.comfyUi.script('unknownLost');
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 1, attempt: 1, promptId: null });
    expect(world.comfyUi.posted).toHaveLength(1);
    const [entry] = await world.entriesOf(jobId);
    expect(entry?.notBefore).toBe(world.clock.iso(10_000));
    world.clock.advance(9_999);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    world.clock.advance(1);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    const [first, second] = world.comfyUi.posted;
    expect(second?.promptId).not.toBe(first?.promptId);
    expect(second).toMatchObject({ attempt: 2, endpoint: world.endpointOf('w2') });
    expect(await world.entriesOf(jobId)).toEqual([]);
  });

  test('HTTP 500 from a worker that is well: the job spends a retry, and its worker serves the next', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const poison = await world.addJob();
    const good = await world.addJob();
    world.comfyUi.script('serverError');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(poison)).toMatchObject({ status: 'pending', retryCount: 1, attempt: 1 });
    expect(world.job(good)).toMatchObject({ status: 'assigned', workerId: 'w1' });
    expect(world.table.allWorkers()[0]).toMatchObject({ avoidUntil: null });
  });

  test.each(['unknownLost', 'serverError'] as const)(
    '%s from a worker that then answers nothing: it is avoided',
    async (outcome) => {
      const world = createDispatchWorld();
      const endpoint = await world.addWorker('w1');
      await world.addJob();
      world.comfyUi.script(outcome);
      const comfyUi: ComfyUi = {
        ...world.comfyUi,
        submitPrompt: async (...prompt) => {
          const answer = await world.comfyUi.submitPrompt(...prompt);
          world.comfyUi.down.add(endpoint);
          return answer;
        },
      };
      await dispatchPending({ ...world.deps, comfyUi });
      expect(world.table.allWorkers()[0]).toMatchObject({ avoidUntil: world.clock.iso(30_000) });
    },
  );

  test('nothing at all: put back without spending a retry, at once to another worker, and this one is avoided', async () => {
    const world = createDispatchWorld();
    world.comfyUi.down.add(await world.addWorker('w1'));
    await world.addWorker('w2');
    const jobId = await world.addJob();
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', retryCount: 0, workerId: 'w2' });
    expect(await world.entriesOf(jobId)).toEqual([]);
    expect(world.table.allWorkers()[0]).toMatchObject({
      workerId: 'w1',
      condition: 'ready',
      avoidUntil: world.clock.iso(30_000),
    });
  });

  test('nothing, from the only worker: the job waits, and is tried again when the worker is', async () => {
    const world = createDispatchWorld();
    const endpoint = await world.addWorker('w1');
    world.comfyUi.down.add(endpoint);
    const jobId = await world.addJob();
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', retryCount: 0, workerId: null });
    expect(await world.entriesOf(jobId)).toMatchObject([
      { queuedAt: world.job(jobId).queuedAt, notBefore: null },
    ]);
    world.comfyUi.down.clear();
    expect(await dispatchPending(world.deps)).toMatchObject({ idleWorkers: 0 });
    world.clock.advance(30_000);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
  });

  test('nothing, from anybody, nine hundred times over: a retry is spent each time from then on', async () => {
    const world = createDispatchWorld();
    world.comfyUi.down.add(await world.addWorker('w1'));
    const jobId = await world.addJob({ max_retries: 1 });
    await world.table.jobs.update({ guard: { jobId, statuses: ['pending'] }, patch: { attempt: 899 } });
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', attempt: 900, retryCount: 1 });
    world.clock.advance(30_000);
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'dispatchFailed' } });
    expect(statusOf(world, 'w1')).toBe('idle');
  });

  test('a workflow that is gone fails its job and says so', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    world.workflows.workflows.clear();
    await dispatchPending(world.deps);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'badWorkflow' } });
    expect(statusOf(world, 'w1')).toBe('idle');
  });
});

describe('failures around a dispatch', () => {
  test('a workflow that cannot be read holds no worker', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    world.table.fail('workflows', 'get', 1);
    await expect(dispatchPending(world.deps)).rejects.toThrow('workflows.get');
    expect(statusOf(world, 'w1')).toBe('idle');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', attempt: 1 });
  });

  test('a job that cannot be read does not keep the others waiting, and fails no wake-up', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const broken = await world.addJob({ priority: 10 });
    const good = await world.addJob();
    const jobs = jobsWith(world, {
      get: async (jobId) => {
        if (jobId === broken) throw new PipelineError('row.invalid', 'no such status', { retryable: false });
        return world.table.jobs.get(jobId);
      },
    });
    expect(await dispatchPending({ ...world.deps, jobs })).toMatchObject({ dispatched: 1 });
    expect(world.job(good).status).toBe('assigned');
    expect(world.logger.lines).toContainEqual(
      expect.objectContaining({ code: 'dispatch.failed', data: expect.objectContaining({ jobId: broken }) }),
    );
  });

  test('an assignment whose answer was lost, and whose repetition was refused, is still ours', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    const jobs = jobsWith(world, {
      update: async (change) => {
        await world.table.jobs.update(change);
        return { kind: 'refused' };
      },
    });
    expect(await dispatchPending({ ...world.deps, jobs })).toMatchObject({ dispatched: 1 });
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
    expect(statusOf(world, 'w1')).toBe('busy');
  });

  test('neither a dead bus nor an entry that will not go undoes a dispatch', async () => {
    const world = createDispatchWorld();
    await world.addWorker('w1');
    const jobId = await world.addJob();
    world.table.fail('publisher', 'publish', 1);
    world.table.fail('queue', 'remove', 1);
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(world.comfyUi.queued).toHaveLength(1);
    await world.addWorker('w2');
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 0 });
    expect(await world.entriesOf(jobId)).toEqual([]);
    expect(world.comfyUi.posted).toHaveLength(1);
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
