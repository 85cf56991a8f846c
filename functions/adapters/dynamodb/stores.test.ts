/** One suite for the table and for the stores in memory: what a test believes of a fake holds for the table. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { PutCommand, ScanCommand, DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type {
  ConnectionStore,
  JobStore,
  OutputStore,
  QueueEntry,
  QueueStore,
  SubscriptionStore,
  TimelineStore,
  WorkerRegistration,
  WorkerStore,
} from '../../core/ports.ts';
import { createFakeClock, type FakeClock } from '../../core/test-support/fake-clock.ts';
import { JOB_ID, makeAssignedJob, makeJob, PROMPT_ID, WORKER_ID } from '../../core/test-support/fixtures.ts';
import type { WorkerReport } from '../../core/worker.ts';
import { startTable, type TestTable } from '../test-support/dynalite-table.ts';
import { storedOutput } from '../test-support/stored-output.ts';
import { createFakeConnectionStore } from './connection-store.fake.ts';
import { createConnectionStore } from './connection-store.ts';
import { createFakeJobStore } from './job-store.fake.ts';
import { createJobStore } from './job-store.ts';
import { createFakeOutputStore } from './output-store.fake.ts';
import { createOutputStore } from './output-store.ts';
import { createFakeQueueStore } from './queue-store.fake.ts';
import { createQueueStore } from './queue-store.ts';
import { createFakeSubscriptionStore } from './subscription-store.fake.ts';
import { createSubscriptionStore } from './subscription-store.ts';
import { createFakeTimelineStore } from './timeline-store.fake.ts';
import { createTimelineStore } from './timeline-store.ts';
import { createFakeWorkerStore } from './worker-store.fake.ts';
import { createWorkerStore } from './worker-store.ts';

interface Stores {
  readonly clock: FakeClock;
  readonly jobs: JobStore;
  readonly subscriptions: SubscriptionStore;
  readonly connections: ConnectionStore;
  readonly queue: QueueStore;
  readonly workers: WorkerStore;
  readonly outputs: OutputStore;
  readonly timeline: TimelineStore;
}

let running: TestTable;
beforeAll(async () => {
  running = await startTable();
});
afterAll(() => running.stop());

const emptyTable = async (): Promise<void> => {
  const { client, tableName: TableName } = running.table;
  const { Items = [] } = await client.send(new ScanCommand({ TableName }));
  for (const { pk, sk } of Items) await client.send(new DeleteCommand({ TableName, Key: { pk, sk } }));
};

const openFakes = async (): Promise<Stores> => {
  const clock = createFakeClock('2026-03-01T12:00:00.000Z');
  const jobs = createFakeJobStore({ clock });
  return {
    clock,
    jobs,
    subscriptions: createFakeSubscriptionStore({ jobs }),
    connections: createFakeConnectionStore(),
    queue: createFakeQueueStore(),
    workers: createFakeWorkerStore({ clock }),
    outputs: createFakeOutputStore(),
    timeline: createFakeTimelineStore(),
  };
};

const openTable = async (): Promise<Stores> => {
  await emptyTable();
  const clock = createFakeClock('2026-03-01T12:00:00.000Z');
  const options = { table: running.table, clock };
  return {
    clock,
    jobs: createJobStore(options),
    subscriptions: createSubscriptionStore(options),
    connections: createConnectionStore(options),
    queue: createQueueStore(options),
    workers: createWorkerStore(options),
    outputs: createOutputStore(options),
    timeline: createTimelineStore(options),
  };
};

describe.each([
  ['in memory', openFakes],
  ['in the table', openTable],
])('stores %s', (_name, open) => {
  let stores: Stores;
  beforeEach(async () => {
    stores = await open();
  });

  describe('jobs', () => {
    test('a job is created once and read back whole', async () => {
      const job = makeAssignedJob({
        failure: { reason: 'vanished', message: 'gone', nodeId: '3' },
        earlyOutputs: [storedOutput(0)],
      });
      expect(await stores.jobs.create(job)).toBe('created');
      expect(await stores.jobs.create(makeJob())).toBe('exists');
      expect(await stores.jobs.get(JOB_ID)).toEqual(job);
      expect(await stores.jobs.get('another')).toBeUndefined();
    });

    test('a change whose guard holds applies whole, adds one to the revision, and answers the job', async () => {
      await stores.jobs.create(makeAssignedJob());
      stores.clock.advance(1500);
      const answer = await stores.jobs.update({
        guard: {
          jobId: JOB_ID,
          statuses: ['assigned', 'running'],
          attempt: 1,
          workerId: WORKER_ID,
          promptId: PROMPT_ID,
          eventSequenceBelow: 4,
        },
        patch: { status: 'running', startedAt: '2026-03-01T12:00:01.000Z', eventSequence: 4 },
      });
      const expected = makeAssignedJob({
        status: 'running',
        startedAt: '2026-03-01T12:00:01.000Z',
        eventSequence: 4,
        revision: 3,
        updatedAt: '2026-03-01T12:00:01.500Z',
      });
      expect(answer).toEqual({ kind: 'applied', job: expected });
      expect(await stores.jobs.get(JOB_ID)).toEqual(expected);
    });

    test.each([
      ['of another status', { statuses: ['pending' as const] }],
      ['of another attempt', { attempt: 2 }],
      ['of another worker', { workerId: 'pod-2' }],
      ['of another prompt', { promptId: 'another' }],
      ['that is not newer', { eventSequenceBelow: 7 }],
      ['of an unknown job', { jobId: 'another' }],
    ])('a change %s is refused and changes nothing', async (_what, guard) => {
      const job = makeAssignedJob({ eventSequence: 7 });
      await stores.jobs.create(job);
      const answer = await stores.jobs.update({
        guard: { jobId: JOB_ID, statuses: ['assigned'], ...guard },
        patch: { status: 'running' },
      });
      expect(answer).toEqual({ kind: 'refused' });
      expect(await stores.jobs.get(JOB_ID)).toEqual(job);
      expect(await stores.jobs.get('another')).toBeUndefined();
    });

    test('early outputs are appended, and start anew with a new attempt', async () => {
      const guard = { jobId: JOB_ID, statuses: ['assigned' as const] };
      await stores.jobs.create(makeAssignedJob());
      await stores.jobs.update({ guard, patch: { addEarlyOutputs: [storedOutput(0)] } });
      await stores.jobs.update({ guard, patch: { addEarlyOutputs: [storedOutput(1)] } });
      expect((await stores.jobs.get(JOB_ID))?.earlyOutputs).toEqual([storedOutput(0), storedOutput(1)]);
      await stores.jobs.update({ guard, patch: { clearEarlyOutputs: true } });
      expect((await stores.jobs.get(JOB_ID))?.earlyOutputs).toEqual([]);
    });

    test('of ten equal changes at once, exactly one applies', async () => {
      await stores.jobs.create(makeAssignedJob());
      const change = {
        guard: { jobId: JOB_ID, statuses: ['assigned' as const], eventSequenceBelow: 3 },
        patch: { eventSequence: 3 },
      };
      const answers = await Promise.all(Array.from({ length: 10 }, () => stores.jobs.update(change)));
      expect(answers.filter(({ kind }) => kind === 'applied')).toHaveLength(1);
      expect((await stores.jobs.get(JOB_ID))?.revision).toBe(3);
    });
  });

  describe('subscriptions', () => {
    test('the owner follows, the job answers it, and leaving is idempotent', async () => {
      await stores.jobs.create(makeJob());
      const followed = await stores.subscriptions.subscribe(JOB_ID, 'user-1', 'a');
      expect(followed).toEqual(makeJob({ connections: ['a'] }));
      await stores.subscriptions.subscribe(JOB_ID, 'user-1', 'a');
      await stores.subscriptions.subscribe(JOB_ID, 'user-1', 'b');
      expect([...(await stores.jobs.get(JOB_ID))!.connections].sort()).toEqual(['a', 'b']);
      await stores.subscriptions.unsubscribe(JOB_ID, 'a');
      await stores.subscriptions.unsubscribe(JOB_ID, 'a');
      await stores.subscriptions.unsubscribe(JOB_ID, 'b');
      expect(await stores.jobs.get(JOB_ID)).toEqual(makeJob());
    });

    test('neither a stranger nor a job that does not exist can be followed', async () => {
      await stores.jobs.create(makeJob());
      expect(await stores.subscriptions.subscribe(JOB_ID, 'user-2', 'a')).toBeUndefined();
      expect(await stores.subscriptions.subscribe('another', 'user-1', 'a')).toBeUndefined();
      await stores.subscriptions.unsubscribe('another', 'a');
      expect(await stores.jobs.get('another')).toBeUndefined();
      expect(await stores.jobs.get(JOB_ID)).toEqual(makeJob());
    });
  });

  test('a connection follows so many jobs and no more, is removed, and then is gone', async () => {
    const { connections } = stores;
    expect(await connections.addJob('a', 'job-1', 2)).toBe('gone');
    await connections.create('a', 'user-1');
    expect(await connections.addJob('a', 'job-1', 2)).toBe('added');
    expect(await connections.addJob('a', 'job-2', 2)).toBe('added');
    expect(await connections.addJob('a', 'job-2', 2)).toBe('added');
    expect(await connections.addJob('a', 'job-3', 2)).toBe('full');
    const connection = await connections.get('a');
    expect({ ...connection, jobIds: [...connection!.jobIds].sort() }).toEqual({
      connectionId: 'a',
      userId: 'user-1',
      jobIds: ['job-1', 'job-2'],
    });
    await connections.remove('a');
    await connections.remove('a');
    expect(await connections.get('a')).toBeUndefined();
  });

  test('the queue answers by priority, then by age, and removing what is gone is no error', async () => {
    const entry = (jobId: string, priority: number, queuedAt: string): QueueEntry => ({
      jobId,
      priority,
      queuedAt,
      notBefore: null,
    });
    const late = entry('late', 10, '2026-03-01T12:00:09.000Z');
    const first = entry('first', 10, '2026-03-01T12:00:01.000Z');
    const low = entry('low', 0, '2026-03-01T11:00:00.000Z');
    const middle = {
      ...entry('middle', 5, '2026-03-01T11:00:00.000Z'),
      notBefore: '2026-03-01T13:00:00.000Z',
    };
    for (const each of [low, late, middle, first, first]) await stores.queue.put(each);
    expect(await stores.queue.list(10)).toEqual([first, late, middle, low]);
    expect(await stores.queue.list(2)).toEqual([first, late]);
    await stores.queue.remove(first);
    await stores.queue.remove(first);
    expect(await stores.queue.list(10)).toEqual([late, middle, low]);
  });

  describe('outputs', () => {
    test('a list of any length is read back in order, per attempt', async () => {
      const outputs = Array.from({ length: 230 }, (_, index) => storedOutput(index));
      const missing = { nodeId: '9', outputKey: 'images', index: 7, filename: 'a.png', error: 'gone' };
      await stores.outputs.put(JOB_ID, 1, { outputs, missingOutputs: [missing] });
      await stores.outputs.put(JOB_ID, 10, { outputs: [storedOutput(1)], missingOutputs: [] });
      expect(await stores.outputs.get(JOB_ID, 1)).toEqual({ outputs, missingOutputs: [missing] });
      expect((await stores.outputs.get(JOB_ID, 10)).outputs).toEqual([storedOutput(1)]);
      expect(await stores.outputs.get(JOB_ID, 2)).toEqual({ outputs: [], missingOutputs: [] });
    });

    test('a shorter list replaces a longer one', async () => {
      const outputs = Array.from({ length: 120 }, (_, index) => storedOutput(index));
      await stores.outputs.put(JOB_ID, 1, { outputs, missingOutputs: [] });
      await stores.outputs.put(JOB_ID, 1, { outputs: [storedOutput(4)], missingOutputs: [] });
      expect(await stores.outputs.get(JOB_ID, 1)).toEqual({ outputs: [storedOutput(4)], missingOutputs: [] });
      await stores.outputs.put(JOB_ID, 1, { outputs: [], missingOutputs: [] });
      expect(await stores.outputs.get(JOB_ID, 1)).toEqual({ outputs: [], missingOutputs: [] });
    });

    test('outputs with names as long as the contract allows are stored all the same', async () => {
      const outputs = Array.from({ length: 60 }, (_, index) =>
        storedOutput(index, {
          nodeId: '界'.repeat(512),
          outputKey: '界'.repeat(256),
          filename: '界'.repeat(1024),
        }),
      );
      await stores.outputs.put(JOB_ID, 1, { outputs, missingOutputs: [] });
      expect((await stores.outputs.get(JOB_ID, 1)).outputs).toEqual(outputs);
    });
  });

  test('transitions of the same event are appended once', async () => {
    const transition = {
      nodeId: '3',
      nodeName: 'K-Sampler',
      nodeType: 'KSampler',
      state: 'executing' as const,
      at: '2026-03-01T12:00:00.000Z',
    };
    await stores.timeline.append(JOB_ID, 1, 2, [transition]);
    await expect(stores.timeline.append(JOB_ID, 1, 2, [transition])).resolves.toBeUndefined();
  });

  describe('workers', () => {
    const report = (sequence: number, patch: Partial<WorkerReport> = {}): WorkerReport => ({
      workerId: WORKER_ID,
      clientId: 'monitor-1',
      bootId: 'boot-1',
      sequence,
      timestamp: '2026-03-01T12:00:00.000Z',
      ...patch,
    });
    const registration = (sequence: number, patch: Partial<WorkerReport> = {}): WorkerRegistration => ({
      ...report(sequence, patch),
      endpoint: 'http://10.0.0.7:8188',
      comfyuiVersion: '0.3.64',
    });
    const get = async () => (await stores.workers.get(WORKER_ID))!;

    test('a worker registers once per report, and an older report changes nothing', async () => {
      expect(await stores.workers.get(WORKER_ID)).toBeUndefined();
      expect(await stores.workers.register(registration(1))).toBe('applied');
      expect(await stores.workers.register(registration(1))).toBe('refused');
      expect(await get()).toMatchObject({
        workerId: WORKER_ID,
        clientId: 'monitor-1',
        endpoint: 'http://10.0.0.7:8188',
        status: 'idle',
        currentJobId: null,
        comfyuiVersion: '0.3.64',
        registeredAt: '2026-03-01T12:00:00.000Z',
        lastSeenAt: '2026-03-01T12:00:00.000Z',
      });
      expect((await stores.workers.list()).map(({ workerId }) => workerId)).toEqual([WORKER_ID]);
    });

    test('a newer boot takes over; the last words of the older one change nothing', async () => {
      await stores.workers.register(registration(50));
      const next = { bootId: 'boot-2', clientId: 'monitor-2', timestamp: '2026-03-01T12:05:00.000Z' };
      expect(await stores.workers.register(registration(1, next))).toBe('applied');
      expect(await stores.workers.heartbeat({ ...report(51), available: true })).toBe('refused');
      expect(await stores.workers.stop(report(52))).toBe('refused');
      expect(await stores.workers.register(registration(53))).toBe('refused');
      expect(await get()).toMatchObject({ bootId: 'boot-2', clientId: 'monitor-2', status: 'idle' });
    });

    test('a lease is counted by our own clock: a pod whose clock is wrong is neither lost nor immortal', async () => {
      const wrong = { timestamp: '2020-01-01T00:00:00.000Z' };
      await stores.workers.register(registration(1, wrong));
      stores.clock.advance(20_000);
      await stores.workers.heartbeat({ ...report(2, wrong), available: true });
      expect((await get()).lastSeenAt).toBe('2026-03-01T12:00:20.000Z');
    });

    test('of many claims at once one wins; only its own attempt releases the worker', async () => {
      await stores.workers.register(registration(1));
      const at = '2026-03-01T12:00:01.000Z';
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, index) => stores.workers.claim(WORKER_ID, `job-${index}`, 1, at)),
      );
      expect(claims.filter(Boolean)).toHaveLength(1);
      const winner = `job-${claims.indexOf(true)}`;
      expect(await get()).toMatchObject({
        status: 'busy',
        currentJobId: winner,
        currentAttempt: 1,
        assignedAt: at,
      });
      expect(await stores.workers.release(WORKER_ID, 'another', 1)).toBe(false);
      expect(await stores.workers.release(WORKER_ID, winner, 2)).toBe(false);
      expect(await stores.workers.release(WORKER_ID, winner, 1)).toBe(true);
      expect(await stores.workers.release(WORKER_ID, winner, 1)).toBe(false);
      expect(await get()).toMatchObject({ status: 'idle', currentJobId: null, currentAttempt: null });
    });

    test('a worker whose ComfyUI does not answer takes no job until it does', async () => {
      await stores.workers.register(registration(1));
      expect(await stores.workers.heartbeat({ ...report(2), available: false })).toBe('applied');
      expect((await get()).status).toBe('failed');
      expect(await stores.workers.claim(WORKER_ID, 'job-1', 1, '2026-03-01T12:00:00.000Z')).toBe(false);
      expect(await stores.workers.heartbeat({ ...report(2), available: true })).toBe('refused');
      expect(await stores.workers.heartbeat({ ...report(3), available: true })).toBe('applied');
      expect((await get()).status).toBe('idle');
    });

    test('a worker that holds a job is busy again after its heartbeat, and keeps the job', async () => {
      await stores.workers.register(registration(1));
      await stores.workers.claim(WORKER_ID, 'job-1', 1, '2026-03-01T12:00:00.000Z');
      await stores.workers.heartbeat({ ...report(2), available: false });
      await stores.workers.heartbeat({ ...report(3), available: true });
      expect(await get()).toMatchObject({ status: 'busy', currentJobId: 'job-1' });
      const next = { bootId: 'boot-2', timestamp: '2026-03-01T12:05:00.000Z' };
      await stores.workers.register(registration(1, next));
      expect(await get()).toMatchObject({ status: 'busy', currentJobId: 'job-1', bootId: 'boot-2' });
    });

    test('a silent worker is marked lost once, unless it was heard meanwhile; it gives its job up and stays lost', async () => {
      await stores.workers.register(registration(1));
      await stores.workers.claim(WORKER_ID, 'job-1', 1, '2026-03-01T12:00:00.000Z');
      const seen = (await get()).lastSeenAt;
      stores.clock.advance(1000);
      await stores.workers.heartbeat({ ...report(2), available: true });
      expect(await stores.workers.markLost(WORKER_ID, seen)).toBe(false);
      const { lastSeenAt } = await get();
      expect(await stores.workers.markLost(WORKER_ID, lastSeenAt)).toBe(true);
      expect(await stores.workers.markLost(WORKER_ID, lastSeenAt)).toBe(false);
      expect(await stores.workers.release(WORKER_ID, 'job-1', 1)).toBe(true);
      expect(await get()).toMatchObject({ status: 'lost', currentJobId: null });
      await stores.workers.heartbeat({ ...report(3), available: true });
      expect((await get()).status).toBe('idle');
    });

    test('a worker that said goodbye takes no more, and is avoided only if it exists', async () => {
      await stores.workers.avoid('another', '2026-03-01T12:01:00.000Z');
      expect(await stores.workers.get('another')).toBeUndefined();
      expect(await stores.workers.stop(report(1))).toBe('refused');
      await stores.workers.register(registration(1));
      await stores.workers.avoid(WORKER_ID, '2026-03-01T12:01:00.000Z');
      expect((await get()).avoidUntil).toBe('2026-03-01T12:01:00.000Z');
      expect(await stores.workers.stop(report(2))).toBe('applied');
      expect((await get()).status).toBe('stopped');
      expect(await stores.workers.claim(WORKER_ID, 'job-1', 1, '2026-03-01T12:00:00.000Z')).toBe(false);
    });
  });
});

test('a stored row that does not read names its key and its field', async () => {
  const { client, tableName: TableName } = running.table;
  const options = { table: running.table, clock: createFakeClock('2026-03-01T12:00:00.000Z') };
  const Item = { ...makeJob(), pk: `JOB#${JOB_ID}`, sk: 'JOB', status: 'done', connections: undefined };
  await client.send(new PutCommand({ TableName, Item }));
  await expect(createJobStore(options).get(JOB_ID)).rejects.toMatchObject({
    code: 'row.invalid',
    retryable: false,
    message: expect.stringMatching(/JOB#0f6f4b43.*status/),
  });
});

test('every item expires: jobs and what belongs to them after 30 days', async () => {
  await emptyTable();
  const clock = createFakeClock('2026-03-01T12:00:00.000Z');
  const options = { table: running.table, clock };
  await createJobStore(options).create(makeJob());
  await createConnectionStore(options).create('a', 'user-1');
  await createOutputStore(options).put(JOB_ID, 1, { outputs: [storedOutput(0)], missingOutputs: [] });
  await createTimelineStore(options).append(JOB_ID, 1, 2, []);
  const { client, tableName: TableName } = running.table;
  const { Items = [] } = await client.send(new ScanCommand({ TableName }));
  const days = Items.map(({ expiresAt }) => (Number(expiresAt) - clock.now() / 1000) / 86_400);
  expect(days.sort((a, b) => a - b)).toEqual([1, 30, 30, 30]);
});
