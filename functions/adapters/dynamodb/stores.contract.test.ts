/** One contract for the stores: what holds for the table must hold for the fakes, or tests over fakes prove nothing. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Job } from '../../core/job.ts';
import type { QueueEntry } from '../../core/ports.ts';
import { createFakeClock, type FakeClock } from '../../core/test-support/fake-clock.ts';
import {
  CLIENT_ID,
  makeAssignedJob,
  makeJob,
  makeRegistration,
  PROMPT_ID,
  START,
  uuidOf,
  WORKER_ID,
} from '../../core/test-support/fixtures.ts';
import { createConnectionStore } from './connection-store.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { createFakeTable, type FakeTable } from './fake-table.ts';
import { createJobStore } from './job-store.ts';
import { createOutputStore } from './output-store.ts';
import { createQueueStore } from './queue-store.ts';
import { createSubscriptionStore } from './subscription-store.ts';
import { createTimelineStore } from './timeline-store.ts';
import { createWorkerStore } from './worker-store.ts';

type Stores = Pick<
  FakeTable,
  'jobs' | 'subscriptions' | 'connections' | 'queue' | 'workers' | 'timeline' | 'outputs'
>;

let dynalite: TestTable;
beforeAll(async () => {
  dynalite = await startTable();
});
afterAll(() => dynalite.stop());

const realStores = (clock: FakeClock): Stores => {
  const options = { table: dynalite.table, clock };
  return {
    jobs: createJobStore(options),
    subscriptions: createSubscriptionStore(options),
    connections: createConnectionStore(options),
    queue: createQueueStore(options),
    workers: createWorkerStore(options),
    timeline: createTimelineStore(options),
    outputs: createOutputStore(options),
  };
};

/** Tests share the table, so each has ids of its own. */
let serial = 0;
const freshId = (): string => {
  serial += 1;
  return uuidOf(serial);
};
const output = (n: number) => ({
  outputId: uuidOf(n),
  nodeId: '__proto__',
  outputKey: 'images',
  index: n,
  kind: 'image' as const,
  src: `https://media.example/${n}.png`,
  mimeType: 'image/png',
  size: n,
  filename: `ünï 世界 ${n}.png`,
});
const progress = (overallPercentage: number): NonNullable<Job['progress']> => ({
  nodeId: 'constructor',
  displayNodeId: '3',
  nodeName: 'K-Sampler',
  nodeType: 'KSampler',
  nodeProgress: 15,
  nodeMaxProgress: 20,
  nodePercentage: 75,
  nodeState: 'executing',
  overallPercentage,
  completedNodes: 4,
  cachedNodes: 0,
  totalNodes: 7,
  runningNodes: [],
  message: 'Generating',
});

describe.each(['in memory', 'on DynamoDB'])('stores %s', (kind) => {
  const setUp = (): Stores & { readonly clock: FakeClock } => {
    const clock = createFakeClock();
    return { clock, ...(kind === 'in memory' ? createFakeTable(clock) : realStores(clock)) };
  };

  describe('jobs', () => {
    test('a job is created once and read back whole', async () => {
      const { jobs } = setUp();
      const job = makeJob({
        jobId: freshId(),
        progress: progress(50),
        earlyOutputs: [output(1)],
        failure: { reason: 'nodeError', message: 'no', nodeId: '__proto__' },
        connections: ['a', 'b'],
      });
      expect(await jobs.create(job)).toBe('created');
      expect(await jobs.create({ ...job, workflowId: 'other' })).toBe('exists');
      expect(await jobs.get(job.jobId)).toEqual(job);
      expect(await jobs.get(freshId())).toBeUndefined();
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    });

    test('a change that applies adds one to the revision, sets updatedAt and answers the job', async () => {
      const { jobs, clock } = setUp();
      const jobId = freshId();
      await jobs.create(makeAssignedJob({ jobId, connections: ['c1'] }));
      clock.advance(1500);
      const updated = await jobs.update({
        guard: { jobId, statuses: ['assigned', 'running'], attempt: 1 },
        patch: { status: 'running', progress: progress(30), eventSequence: 3 },
      });
      const expected = makeAssignedJob({
        jobId,
        connections: ['c1'],
        status: 'running',
        progress: progress(30),
        eventSequence: 3,
        revision: 3,
        updatedAt: clock.iso(),
      });
      expect(updated).toEqual({ kind: 'applied', job: expected });
      expect(await jobs.get(jobId)).toEqual(expected);
    });

    test.each([
      ['status', { statuses: ['pending'] as const }],
      ['attempt', { attempt: 2 }],
      ['worker', { workerId: 'pod-2' }],
      ['prompt', { promptId: 'other' }],
      ['sequence equal', { eventSequenceBelow: 4 }],
      ['sequence older', { eventSequenceBelow: 3 }],
      ['job', { jobId: uuidOf(999_999) }],
    ])('a change whose %s does not hold is refused and changes nothing', async (_what, broken) => {
      const { jobs } = setUp();
      const job = makeAssignedJob({ jobId: freshId(), eventSequence: 4 });
      await jobs.create(job);
      const holds = {
        jobId: job.jobId,
        statuses: ['assigned'] as const,
        attempt: 1,
        workerId: WORKER_ID,
        promptId: PROMPT_ID,
        eventSequenceBelow: 5,
      };
      const patch = { status: 'failed' } as const;
      expect(await jobs.update({ guard: { ...holds, ...broken }, patch })).toEqual({ kind: 'refused' });
      expect(await jobs.get(job.jobId)).toEqual(job);
      expect((await jobs.update({ guard: holds, patch })).kind).toBe('applied');
    });

    test('early outputs are appended, and a new attempt starts with none', async () => {
      const { jobs } = setUp();
      const jobId = freshId();
      await jobs.create(makeAssignedJob({ jobId }));
      const guard = { jobId, statuses: ['assigned'] as const };
      const early = async (): Promise<readonly unknown[] | undefined> =>
        (await jobs.get(jobId))?.earlyOutputs;
      await jobs.update({ guard, patch: { addEarlyOutputs: [output(1)] } });
      await jobs.update({ guard, patch: { addEarlyOutputs: [output(2), output(2)] } });
      expect(await early()).toEqual([output(1), output(2), output(2)]);
      await jobs.update({ guard, patch: { clearEarlyOutputs: true, addEarlyOutputs: [output(3)] } });
      expect(await early()).toEqual([output(3)]);
      await jobs.update({ guard, patch: { clearEarlyOutputs: true } });
      expect(await early()).toEqual([]);
    });

    test('of twenty that assign one pending job at once, exactly one does', async () => {
      const { jobs } = setUp();
      const jobId = freshId();
      await jobs.create(makeJob({ jobId }));
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          jobs.update({
            guard: { jobId, statuses: ['pending'], attempt: 0 },
            patch: { status: 'assigned', attempt: 1, promptId: `prompt-${index}` },
          }),
        ),
      );
      const applied = answers.flatMap((answer) => (answer.kind === 'applied' ? [answer.job] : []));
      expect(applied).toHaveLength(1);
      expect(await jobs.get(jobId)).toEqual(applied[0]);
      expect(applied[0]?.revision).toBe(2);
    });
  });

  describe('subscriptions', () => {
    test('the job names its followers; another user, or no job, is refused', async () => {
      const { jobs, subscriptions } = setUp();
      const jobId = freshId();
      await jobs.create(makeJob({ jobId }));
      expect(await subscriptions.subscribe(jobId, 'user-2', 'c1')).toBeUndefined();
      expect(await subscriptions.subscribe(freshId(), 'user-1', 'c1')).toBeUndefined();
      const followed = await subscriptions.subscribe(jobId, 'user-1', 'c1');
      expect(followed).toEqual(makeJob({ jobId, connections: ['c1'] }));
      await subscriptions.subscribe(jobId, 'user-1', 'c1');
      await subscriptions.subscribe(jobId, 'user-1', '__proto__');
      expect([...((await jobs.get(jobId))?.connections ?? [])].sort()).toEqual(['__proto__', 'c1']);
    });

    test('unsubscribing takes one follower, and makes no job of one that is gone', async () => {
      const { jobs, subscriptions } = setUp();
      const jobId = freshId();
      const other = freshId();
      await jobs.create(makeJob({ jobId, connections: ['c1', 'c2'] }));
      await subscriptions.unsubscribe(jobId, 'c1');
      await subscriptions.unsubscribe(jobId, 'never');
      expect((await jobs.get(jobId))?.connections).toEqual(['c2']);
      await subscriptions.unsubscribe(jobId, 'c2');
      expect(await jobs.get(jobId)).toEqual(makeJob({ jobId }));
      await subscriptions.unsubscribe(other, 'c1');
      expect(await jobs.get(other)).toBeUndefined();
    });
  });

  describe('connections', () => {
    test('a connection follows up to its cap, and a job again without counting it twice', async () => {
      const { connections } = setUp();
      const id = `connection=${freshId()}`;
      await connections.create(id, 'user-1');
      expect(await connections.get(id)).toEqual({ connectionId: id, userId: 'user-1', jobIds: [] });
      expect(await connections.addJob(id, 'j1', 2)).toBe('added');
      expect(await connections.addJob(id, 'j2', 2)).toBe('added');
      expect(await connections.addJob(id, 'j1', 2)).toBe('added');
      expect(await connections.addJob(id, 'j3', 2)).toBe('full');
      expect([...((await connections.get(id))?.jobIds ?? [])].sort()).toEqual(['j1', 'j2']);
    });

    test('a closed connection is gone, and following with it does not bring it back', async () => {
      const { connections } = setUp();
      const id = freshId();
      await connections.create(id, 'user-1');
      await connections.remove(id);
      await connections.remove(id);
      expect(await connections.addJob(id, 'j1', 2)).toBe('gone');
      expect(await connections.get(id)).toBeUndefined();
    });

    test('the cap holds against twenty requests at once', async () => {
      const { connections } = setUp();
      const id = freshId();
      await connections.create(id, 'user-1');
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => connections.addJob(id, `j${index}`, 5)),
      );
      expect(answers.filter((answer) => answer === 'added')).toHaveLength(5);
      expect((await connections.get(id))?.jobIds).toHaveLength(5);
    });
  });

  describe('queue', () => {
    test('lists by priority, then age, then in pages, after an entry that is there or gone', async () => {
      const { queue, clock } = setUp();
      for (const left of await queue.list(1000)) await queue.remove(left);
      const entry = (jobId: string, priority: number, ms: number): QueueEntry => ({
        jobId,
        priority,
        queuedAt: clock.iso(ms),
        notBefore: null,
      });
      const ordered = [
        entry('urgent', 10, 9000),
        entry('older', 5, 0),
        { ...entry('a-tie', 5, 1000), notBefore: clock.iso(60_000) },
        entry('b-tie', 5, 1000),
        entry('least', 0, -5000),
      ];
      for (const each of ordered.toReversed()) await queue.put(each);
      await queue.put(ordered[0]!);
      expect(await queue.list(100)).toEqual(ordered);
      expect(await queue.list(2)).toEqual(ordered.slice(0, 2));
      expect(await queue.list(2, ordered[1])).toEqual(ordered.slice(2, 4));
      await queue.remove(ordered[1]!);
      await queue.remove(ordered[1]!);
      expect(await queue.list(100, ordered[1])).toEqual(ordered.slice(2));
      expect(await queue.list(100, ordered.at(-1))).toEqual([]);
      expect((await queue.list(100)).map(({ jobId }) => jobId)).toEqual([
        'urgent',
        'a-tie',
        'b-tie',
        'least',
      ]);
    });
  });

  describe('workers', () => {
    const register = async (stores: Stores, workerId: string): Promise<void> => {
      expect(await stores.workers.register(makeRegistration({ workerId }))).toBe('applied');
    };
    const report = (workerId: string, sequence: number, more = {}) => ({
      workerId,
      clientId: CLIENT_ID,
      bootId: makeRegistration().bootId,
      sequence,
      timestamp: START,
      ...more,
    });
    const newBoot = (timestamp: string) => ({ bootId: uuidOf(777), sequence: 1, timestamp });

    test('a first registration makes an idle worker', async () => {
      const stores = setUp();
      const workerId = freshId();
      await register(stores, workerId);
      expect(await stores.workers.get(workerId)).toMatchObject({
        workerId,
        status: 'idle',
        currentJobId: null,
        currentAttempt: null,
        assignedAt: null,
        avoidUntil: null,
        monitorSequence: 1,
        lastSeenAt: START,
        endpoint: 'http://10.0.3.17:8188',
      });
      expect((await stores.workers.list()).filter((worker) => worker.workerId === workerId)).toHaveLength(1);
      expect(await stores.workers.get(freshId())).toBeUndefined();
    });

    test('of twenty claims at once exactly one wins, and only its attempt releases', async () => {
      const stores = setUp();
      const { workers } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, index) => workers.claim(workerId, `job-${index}`, 1, START)),
      );
      expect(wins.filter(Boolean)).toHaveLength(1);
      const jobId = `job-${wins.indexOf(true)}`;
      expect(await workers.get(workerId)).toMatchObject({
        status: 'busy',
        currentJobId: jobId,
        currentAttempt: 1,
        assignedAt: START,
      });
      expect(await workers.release(workerId, jobId, 2)).toBe(false);
      expect(await workers.release(workerId, 'job-20', 1)).toBe(false);
      expect(await workers.release(workerId, jobId, 1)).toBe(true);
      expect(await workers.release(workerId, jobId, 1)).toBe(false);
      expect(await workers.get(workerId)).toMatchObject({ status: 'idle', currentJobId: null });
      expect(await workers.claim(freshId(), 'job', 1, START)).toBe(false);
    });

    test('reports of a boot apply in order, and silence is measured by our clock', async () => {
      const stores = setUp();
      const { workers, clock } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      clock.advance(20_000);
      const wrongClock = { timestamp: '2001-01-01T00:00:00.000Z' };
      expect(await workers.heartbeat({ ...report(workerId, 3, wrongClock), available: true })).toBe(
        'applied',
      );
      expect(await workers.get(workerId)).toMatchObject({ lastSeenAt: clock.iso(), monitorSequence: 3 });
      expect(await workers.heartbeat({ ...report(workerId, 3), available: false })).toBe('refused');
      expect(await workers.heartbeat({ ...report(workerId, 2), available: false })).toBe('refused');
      expect(await workers.stop(report(workerId, 2))).toBe('refused');
      expect(await workers.register(makeRegistration({ workerId, sequence: 2 }))).toBe('refused');
      expect(await workers.get(workerId)).toMatchObject({ status: 'idle', monitorSequence: 3 });
      expect(await workers.heartbeat({ ...report(freshId(), 1), available: true })).toBe('refused');
    });

    test('a newer boot takes over and keeps the job that is held; an older one is refused', async () => {
      const stores = setUp();
      const { workers, clock } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      await workers.claim(workerId, 'job', 1, START);
      const older = makeRegistration({ workerId, ...newBoot(clock.iso(-1000)) });
      expect(await workers.register(older)).toBe('refused');
      const newer = makeRegistration({
        workerId,
        ...newBoot(clock.iso(1000)),
        endpoint: 'http://10.0.3.99:8188',
      });
      expect(await workers.register(newer)).toBe('applied');
      expect(await workers.get(workerId)).toMatchObject({
        status: 'busy',
        currentJobId: 'job',
        bootId: newer.bootId,
        monitorSequence: 1,
        endpoint: 'http://10.0.3.99:8188',
      });
      expect(await workers.heartbeat({ ...report(workerId, 9), available: false })).toBe('refused');
      expect(await workers.stop(report(workerId, 10))).toBe('refused');
      expect(await workers.register(makeRegistration({ workerId, sequence: 11 }))).toBe('refused');
      expect(await workers.get(workerId)).toMatchObject({ status: 'busy' });
    });

    test('instants with an offset are compared as instants', async () => {
      const stores = setUp();
      const workerId = freshId();
      await register(stores, workerId);
      const sameMoment = makeRegistration({ workerId, ...newBoot('2026-11-22T12:00:00.000+02:00') });
      expect(await stores.workers.register(sameMoment)).toBe('refused');
    });

    test.each([false, true])('a ComfyUI that fails and recovers; holding a job: %s', async (holding) => {
      const stores = setUp();
      const { workers } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      if (holding) await workers.claim(workerId, 'job', 1, START);
      await workers.heartbeat({ ...report(workerId, 2), available: false });
      expect((await workers.get(workerId))?.status).toBe('failed');
      expect(await workers.claim(workerId, 'other', 1, START)).toBe(false);
      await workers.heartbeat({ ...report(workerId, 3), available: true });
      expect((await workers.get(workerId))?.status).toBe(holding ? 'busy' : 'idle');
      expect((await workers.get(workerId))?.currentJobId).toBe(holding ? 'job' : null);
    });

    test.each([false, true])(
      'a stopped worker stays so until it registers; holding a job: %s',
      async (holding) => {
        const stores = setUp();
        const { workers, clock } = stores;
        const workerId = freshId();
        await register(stores, workerId);
        if (holding) await workers.claim(workerId, 'job', 1, START);
        expect(await workers.stop(report(workerId, 2))).toBe('applied');
        expect(await workers.claim(workerId, 'other', 1, START)).toBe(false);
        expect(await workers.heartbeat({ ...report(workerId, 3), available: true })).toBe('applied');
        expect(await workers.heartbeat({ ...report(workerId, 4), available: false })).toBe('applied');
        expect(await workers.get(workerId)).toMatchObject({ status: 'stopped', monitorSequence: 4 });
        await workers.register(makeRegistration({ workerId, ...newBoot(clock.iso(1)) }));
        expect(await workers.get(workerId)).toMatchObject({
          status: holding ? 'busy' : 'idle',
          currentJobId: holding ? 'job' : null,
        });
      },
    );

    test('a worker that is not busy gives its job up and stays what it is', async () => {
      const stores = setUp();
      const { workers } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      await workers.claim(workerId, 'job', 1, START);
      await workers.stop(report(workerId, 2));
      expect(await workers.release(workerId, 'job', 1)).toBe(true);
      expect(await workers.get(workerId)).toMatchObject({ status: 'stopped', currentJobId: null });
    });

    test('lost once, and only if it has been silent since', async () => {
      const stores = setUp();
      const { workers, clock } = stores;
      const workerId = freshId();
      await register(stores, workerId);
      clock.advance(61_000);
      await workers.heartbeat({ ...report(workerId, 2), available: true });
      expect(await workers.markLost(workerId, START)).toBe(false);
      expect(await workers.markLost(workerId, clock.iso())).toBe(true);
      expect(await workers.markLost(workerId, clock.iso())).toBe(false);
      expect((await workers.get(workerId))?.status).toBe('lost');
      expect(await workers.markLost(freshId(), START)).toBe(false);
      await workers.heartbeat({ ...report(workerId, 3), available: true });
      expect((await workers.get(workerId))?.status).toBe('idle');
    });

    test('avoiding is forgotten with a registration, and makes no worker', async () => {
      const stores = setUp();
      const { workers, clock } = stores;
      const workerId = freshId();
      const unknown = freshId();
      await register(stores, workerId);
      await workers.avoid(workerId, clock.iso(30_000));
      expect((await workers.get(workerId))?.avoidUntil).toBe(clock.iso(30_000));
      await workers.register(makeRegistration({ workerId, sequence: 2 }));
      expect((await workers.get(workerId))?.avoidUntil).toBeNull();
      await workers.avoid(unknown, START);
      expect(await workers.get(unknown)).toBeUndefined();
    });

    test('ids that are names of an object prototype are ids like any other', async () => {
      const stores = setUp();
      for (const workerId of ['__proto__', 'constructor', 'toString']) {
        expect(await stores.workers.get(workerId)).toBeUndefined();
        await register(stores, workerId);
        expect(await stores.workers.claim(workerId, '__proto__', 1, START)).toBe(true);
        expect((await stores.workers.get(workerId))?.currentJobId).toBe('__proto__');
      }
    });
  });

  describe('timeline and outputs', () => {
    test('a second write of one event changes nothing that can be seen', async () => {
      const { timeline } = setUp();
      const transitions = [
        { nodeId: '__proto__', nodeName: 'n', nodeType: 't', state: 'executed' as const, at: START },
      ];
      await timeline.append('job', 1, 2, transitions);
      await expect(timeline.append('job', 1, 2, transitions)).resolves.toBeUndefined();
    });

    test('outputs come back in their order, however many, for their attempt only; a shorter list replaces them', async () => {
      const { outputs } = setUp();
      const jobId = freshId();
      const missing = { nodeId: '9', outputKey: 'images', index: 0, filename: 'a.png', error: 'gone' };
      const all = { outputs: Array.from({ length: 120 }, (_, n) => output(n)), missingOutputs: [missing] };
      await outputs.put(jobId, 1, all);
      expect(await outputs.get(jobId, 1)).toEqual(all);
      expect(await outputs.get(jobId, 2)).toEqual({ outputs: [], missingOutputs: [] });
      const fewer = { outputs: [output(7)], missingOutputs: [] };
      await outputs.put(jobId, 1, fewer);
      expect(await outputs.get(jobId, 1)).toEqual(fewer);
    });
  });
});

describe('what stands in the table is not trusted', () => {
  const put = (Item: Record<string, unknown>) =>
    dynalite.table.client.send(new PutCommand({ TableName: dynalite.table.tableName, Item }));

  test.each([
    ['attempt', 'one'],
    ['status', 'paused'],
    ['queuedAt', 'yesterday'],
    ['connections', ['a list']],
    ['earlyOutputs', { length: 1 }],
    ['progress', 'half'],
  ])('a job whose %s is %p is an error that names the key and the field', async (field, value) => {
    const { connections: _, ...job } = makeJob({ jobId: freshId() });
    await put({ pk: `JOB#${job.jobId}`, sk: 'JOB', ...job, [field]: value });
    await expect(realStores(createFakeClock()).jobs.get(job.jobId)).rejects.toMatchObject({
      code: 'row.invalid',
      retryable: false,
      message: expect.stringMatching(new RegExp(`JOB#${job.jobId} / JOB: ${field}`)),
    });
  });

  test('a worker and a connection of wrong types are errors as well', async () => {
    const stores = realStores(createFakeClock());
    const workerId = freshId();
    await put({ pk: `CONNECTION#${workerId}`, sk: 'CONNECTION', connectionId: workerId, userId: 7 });
    await expect(stores.connections.get(workerId)).rejects.toMatchObject({
      code: 'row.invalid',
      message: expect.stringContaining('userId'),
    });
  });

  test('a row of the queue or of the workers that does not read is told and left out of its list', async () => {
    const told: unknown[] = [];
    const logger = {
      info: () => undefined,
      warn: () => undefined,
      error: (code: string) => void told.push(code),
    };
    const options = { table: dynalite.table, clock: createFakeClock(), logger };
    const [queue, workers] = [createQueueStore(options), createWorkerStore(options)];
    const bad = freshId();
    const AT = '2026-11-22T10:00:00.000Z';
    await put({
      pk: 'QUEUE',
      sk: `00#0#${bad}`,
      jobId: bad,
      priority: 'high',
      queuedAt: AT,
      notBefore: null,
    });
    await put({ pk: 'WORKERS', sk: bad, workerId: bad, status: 'asleep' });
    const entry = { jobId: freshId(), priority: 5, queuedAt: AT, notBefore: null };
    await queue.put(entry);
    expect(await queue.list(100)).toContainEqual(entry);
    expect((await workers.list()).map(({ workerId }) => workerId)).not.toContain(bad);
    expect(told).toEqual(['row.invalid', 'row.invalid']);
    await expect(
      createQueueStore({ table: dynalite.table, clock: options.clock }).list(100),
    ).rejects.toMatchObject({ code: 'row.invalid' });
    for (const Key of [
      { pk: 'QUEUE', sk: `00#0#${bad}` },
      { pk: 'WORKERS', sk: bad },
    ]) {
      await dynalite.table.client.send(new DeleteCommand({ TableName: dynalite.table.tableName, Key }));
    }
  });
});
