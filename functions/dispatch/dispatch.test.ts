import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld } from '../adapters/test-support/dispatch-world.ts';
import { makeEvent, uuidOf } from '../core/test-support/fixtures.ts';
import { createDispatchHandler } from './dispatch.ts';

const SCHEDULE = { id: 'x', source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };

const setUp = () => {
  const world = createDispatchWorld();
  const handler = createDispatchHandler({
    ...world.deps,
    instances: world.table.instances,
    addressPolicy: 'private',
  });
  return { ...world, handler };
};

/** One job, on its way on w1. */
const dispatched = async () => {
  const world = setUp();
  await world.addWorker('w1');
  const jobId = await world.addJob();
  await world.handler(makeEvent('Task Submitted', { jobId }));
  const { promptId, clientId } = world.job(jobId);
  const ofAttempt = { jobId, attempt: 1, workerId: 'w1', promptId: promptId!, clientId: clientId! };
  return { ...world, jobId, ofAttempt };
};

describe('a wake-up serves the queue', () => {
  test('after a submission', async () => {
    const { job, jobId } = await dispatched();
    expect(job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w1' });
  });

  test.each(['Job Completed', 'Job Failed', 'Job Cancelled'] as const)(
    'after %s, with the worker that it frees; twice is no more',
    async (detailType) => {
      const { handler, addJob, job, ofAttempt, comfyUi } = await dispatched();
      const next = await addJob();
      const last = await addJob();
      const end = makeEvent(detailType, ofAttempt);
      await handler(end);
      expect(job(next)).toMatchObject({ status: 'assigned', workerId: 'w1' });
      await handler(end);
      expect(job(last).status).toBe('pending');
      expect(comfyUi.posted).toHaveLength(2);
    },
  );

  test('after a monitor came, with its worker', async () => {
    const { handler, addJob, job } = setUp();
    const jobId = await addJob();
    const init = makeEvent('Monitor Initialized', { comfyuiUrl: 'http://10.0.3.17:8188' });
    await handler(init);
    expect(job(jobId)).toMatchObject({ status: 'assigned', workerId: 'pod-1' });
    await handler(init);
    expect(job(jobId).attempt).toBe(1);
  });

  test('after a retry, once it is due', async () => {
    const { handler, addWorker, addJob, job, comfyUi, clock } = setUp();
    await addWorker('w1');
    await addWorker('w2');
    const jobId = await addJob();
    comfyUi.script('unknownLost');
    await handler(SCHEDULE);
    expect(job(jobId).status).toBe('pending');
    await handler(makeEvent('Task Retrying', { jobId, delaySeconds: 10 }));
    expect(clock.sleeps).toEqual([10_000]);
    expect(job(jobId)).toMatchObject({ status: 'assigned', attempt: 2 });
  });

  test('a retry that is due in more than a minute is left to the sweep', async () => {
    const { handler, clock } = setUp();
    await handler(makeEvent('Task Retrying', { delaySeconds: 61 }));
    expect(clock.sleeps).toEqual([]);
  });
});

describe('an event of another attempt, job or worker frees nobody', () => {
  test.each([
    ['attempt', { attempt: 2 }],
    ['job', { jobId: uuidOf(999) }],
    ['worker', { workerId: 'w2' }],
  ])('%s', async (_what, other) => {
    const { handler, addJob, job, ofAttempt } = await dispatched();
    const next = await addJob();
    await handler(makeEvent('Job Completed', { ...ofAttempt, ...other }));
    expect(job(next).status).toBe('pending');
  });

  test('nor does one that is forged', async () => {
    const { handler, addJob, job, ofAttempt, logger } = await dispatched();
    const next = await addJob();
    await handler({ ...makeEvent('Job Completed', ofAttempt), source: 'comfyui.monitor.w2' });
    expect(job(next).status).toBe('pending');
    expect(logger.lines).toContainEqual(expect.objectContaining({ code: 'event.poison' }));
  });
});

describe('the share of the user is freed with the worker', () => {
  const activeOf = ({ table }: Pick<ReturnType<typeof setUp>, 'table'>) => table.allShares()[0]?.active;

  test.each(['Job Completed', 'Job Failed', 'Job Cancelled'] as const)(
    'by %s, which says how long it took',
    async (detailType) => {
      const world = await dispatched();
      expect(activeOf(world)).toMatchObject([{ jobId: world.jobId, attempt: 1 }]);
      await world.handler(makeEvent(detailType, { ...world.ofAttempt, durationMs: 4321 }));
      expect(world.table.allShares()[0]).toMatchObject({ active: [], averageMs: 4321, finishMs: 4321 });
    },
  );

  test('by Task Cancelled, for the next one who waits', async () => {
    const world = await dispatched();
    const next = await world.addJob({ userId: 'user-2' });
    const { jobId, ofAttempt } = world;
    await world.handler(makeEvent('Task Cancelled', { ...ofAttempt, jobId, userId: 'user-1' }));
    expect(activeOf(world)).toEqual([]);
    expect(world.job(next)).toMatchObject({ status: 'assigned', workerId: 'w1' });
  });

  test('and by nothing of an older attempt', async () => {
    const world = await dispatched();
    const detail = { ...world.ofAttempt, attempt: 0, userId: 'user-1' };
    await world.handler(makeEvent('Task Cancelled', { ...detail, workerId: null, promptId: null }));
    expect(activeOf(world)).toHaveLength(1);
  });

  test('though a death came between the two, by the sweep', async () => {
    const world = await dispatched();
    world.table.fail('shares', 'release', 1);
    await expect(world.handler(makeEvent('Job Completed', world.ofAttempt))).rejects.toThrow(
      'shares.release',
    );
    await world.table.jobs.update({
      guard: { jobId: world.jobId, statuses: ['assigned'] },
      patch: { status: 'completed', dueAt: null, completedAt: world.clock.iso() },
    });
    await world.handler(SCHEDULE);
    expect(activeOf(world)).toEqual([]);
  });
});

test('a worker that has just come is waited for until it is known what it can run, but not for long', async () => {
  const world = setUp();
  const jobId = await world.addJob({ needs: { classes: ['KSampler'] } });
  const init = makeEvent('Monitor Initialized', { comfyuiUrl: 'http://10.0.3.17:8188' });
  const learning = world.handler({ ...init });
  await learning;
  expect(world.clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBe(4000);
  expect(world.job(jobId)).toMatchObject({ status: 'assigned', workerId: 'pod-1' });
});

test.each(['http://169.254.169.254', 'http://[::ffff:169.254.169.254]:8188', 'http://127.0.0.1:8188'])(
  'a worker at %s is not registered, and the pass goes on',
  async (comfyuiUrl) => {
    const { handler, table, logger } = setUp();
    await handler(makeEvent('Monitor Initialized', { comfyuiUrl }));
    expect(table.allWorkers()).toEqual([]);
    expect(logger.lines.map(({ code }) => code)).toEqual(['worker.address-refused', 'dispatch.pass']);
  },
);

test('the schedule sweeps, then serves what the sweep set free', async () => {
  const { handler, addWorker, job, jobId, silent, clock, heartbeat } = await dispatched();
  await addWorker('w2');
  silent.add('w1');
  clock.advance(61_000);
  await heartbeat();
  await handler(SCHEDULE);
  expect(job(jobId)).toMatchObject({ status: 'pending', retryCount: 1 });
  clock.advance(30_000);
  await heartbeat();
  await handler(SCHEDULE);
  expect(job(jobId)).toMatchObject({ status: 'assigned', workerId: 'w2', attempt: 2 });
});

test('a pass that fails is thrown, so that it is delivered again', async () => {
  const { handler, table } = setUp();
  table.fail('workers', 'list', 2);
  await expect(handler(makeEvent('Task Submitted'))).rejects.toThrow('workers.list');
  await expect(handler(SCHEDULE)).rejects.toThrow('workers.list');
});
