/** What follows from ComfyUI's answer, and from failures around it. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { PipelineError } from '../errors.ts';
import type { ComfyUi, JobStore } from '../ports.ts';
import { statusOf as statusOfWorker } from '../worker.ts';
import { dispatchPending } from './dispatch.ts';

const statusOf = (world: DispatchWorld, workerId: string): string | undefined => {
  const found = world.table.allWorkers().find((worker) => worker.workerId === workerId);
  return found === undefined ? undefined : statusOfWorker(found);
};

/** The world's jobs, with one call of them changed. */
const jobsWith = ({ table: { jobs } }: DispatchWorld, changed: Partial<JobStore>): JobStore => ({
  create: (job) => jobs.create(job),
  get: (jobId) => jobs.get(jobId),
  update: (change) => jobs.update(change),
  ...changed,
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
