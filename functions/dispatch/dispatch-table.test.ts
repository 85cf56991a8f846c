/** The dispatcher over the table itself: what the stores in memory promise must be so. */
import { createFakeInstanceStore } from '../adapters/dynamodb/instance-store.fake.ts';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createDispatchTurns } from '../adapters/dynamodb/dispatch-turns.ts';
import { createJobIndex } from '../adapters/dynamodb/job-index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { createDispatchWorld } from '../adapters/test-support/dispatch-world.ts';
import { startTable, type TestTable } from '../adapters/test-support/dynalite-table.ts';
import { cancelJob } from '../core/cancel-job.ts';
import { dispatchPending } from '../core/dispatch/dispatch.ts';
import type { DispatchDependencies } from '../core/dispatch/ports.ts';
import { sweep } from '../core/dispatch/sweep.ts';
import { acceptTask } from '../core/submission/accept-task.ts';
import { makeEvent, makeJob, makeRegistration, uuidOf } from '../core/test-support/fixtures.ts';
import { createDispatchHandler } from './dispatch.ts';

let started: TestTable;
beforeAll(async () => {
  started = await startTable();
});
afterAll(() => started.stop());

const setUp = () => {
  const world = createDispatchWorld({ prefetchDepth: 1, maxRunningPerUser: 3 });
  const options = { table: started.table, clock: world.clock, logger: world.logger };
  const deps: DispatchDependencies = {
    ...world.deps,
    jobs: createJobStore(options),
    subscriptions: createSubscriptionStore(options),
    queue: createQueueStore({ ...options, ids: world.deps.ids }),
    turns: createDispatchTurns(options),
    shares: createShareStore(options),
    workers: createWorkerStore(options),
    index: createJobIndex(options),
  };
  let submitted = 0;
  const submit = async (userId: string, timeoutSeconds = 90): Promise<string> => {
    submitted += 1;
    const jobId = uuidOf(submitted + 1000);
    const request = { ...makeJob({ jobId, userId, timeoutSeconds }) };
    await acceptTask({ request, workflowText: '{}', files: [] }, deps);
    world.clock.advance(1);
    return jobId;
  };
  const get = async (jobId: string) => (await deps.jobs.get(jobId))!;
  let beats = 1;
  const beat = async (): Promise<void> => {
    beats += 1;
    for (const workerId of ['w1', 'w2']) {
      const report = makeRegistration({ workerId, sequence: beats, timestamp: world.clock.iso() });
      await deps.workers.heartbeat({ ...report, available: true });
    }
  };
  return { ...world, deps, submit, get, beat };
};

test('submission, fair dispatch, prefetch, cancellation, timeout and what is given back', async () => {
  const world = setUp();
  const { deps, submit, get, clock, comfyUi } = world;
  for (const workerId of ['w1', 'w2'])
    await deps.workers.register(makeRegistration({ workerId, endpoint: world.endpointOf(workerId) }));
  const crowd: string[] = [];
  for (let index = 0; index < 5; index += 1) crowd.push(await submit('crowd'));
  const single = await submit('single');
  const passes = await Promise.all(Array.from({ length: 4 }, () => dispatchPending(deps)));
  expect(passes.reduce((sum, { dispatched }) => sum + dispatched, 0)).toBe(4);
  expect(comfyUi.posted).toHaveLength(4);
  expect((await get(single)).status).toBe('assigned');
  const { users } = await deps.shares.list();
  expect(users.map(({ userId, active }) => [userId, active.length])).toEqual([
    ['crowd', 3],
    ['single', 1],
  ]);

  // One that waits behind another is cancelled at once; the event frees what it held, and the next one goes.
  const waiting = ['w1', 'w2'].map((workerId) => comfyUi.live(world.endpointOf(workerId))[1]!);
  const behind = waiting.find(({ jobId }) => jobId !== single)!;
  expect((await cancelJob({ jobId: behind.jobId }, deps)).kind).toBe('cancelled');
  const told = world.publisher.events.find(({ detailType }) => detailType === 'Task Cancelled')!;
  const handler = createDispatchHandler({
    ...deps,
    instances: createFakeInstanceStore({ clock }),
    addressPolicy: 'any',
  });
  await handler(makeEvent('Task Cancelled', told.detail as never));
  expect(comfyUi.posted).toHaveLength(5);

  // The others take too long: the sweep finds them by the index, and ends them.
  const failures = (): number =>
    new Set(
      world.publisher.events
        .filter(({ detailType }) => detailType === 'Task Failed')
        .map(({ detail }) => detail.jobId),
    ).size;
  for (let minute = 0; minute < 15 && failures() < 5; minute += 1) {
    clock.advance(60_000);
    await world.beat();
    await sweep(deps);
    await dispatchPending(deps);
  }
  for (const jobId of [...crowd, single]) {
    const job = await get(jobId);
    expect(job).toMatchObject(
      jobId === behind.jobId
        ? { status: 'cancelled', dueAt: null, attempts: [{ attempt: 1, outcome: 'cancelled' }] }
        : {
            status: 'failed',
            dueAt: null,
            failure: { reason: 'timeout' },
            attempts: [{ attempt: 1, outcome: 'failed' }],
          },
    );
  }
  expect((await deps.workers.list()).flatMap(({ held }) => held)).toEqual([]);
  expect((await deps.shares.list()).users.flatMap(({ active }) => active)).toEqual([]);
  expect(await deps.index.due(clock.iso(1e9), 10)).toEqual([]);
  expect(await deps.queue.list('crowd', 10)).toEqual([]);
  expect(world.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
}, 60_000);
