/** What stands in the table is read as what it should be, or named; and what was stored before still reads. */
import { describe, expect, test } from '@jest/globals';
import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { DEFAULT_TIMEOUT_SECONDS } from '../../../shared-types/index.ts';
import type { Logger } from '../../core/ports.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { makeJob, makeRegistration, START } from '../../core/test-support/fixtures.ts';
import { storesOf, useStores } from '../test-support/contract-stores.ts';

const { table, freshId } = useStores();
const stores = (logger?: Logger) => storesOf(table(), createFakeClock(), logger);

const put = (Item: Record<string, unknown>) =>
  table().client.send(new PutCommand({ TableName: table().tableName, Item }));
const remove = ({ pk, sk }: Record<string, unknown>) =>
  table().client.send(new DeleteCommand({ TableName: table().tableName, Key: { pk, sk } }));
const rowOf = async (pk: string, sk: string): Promise<Record<string, unknown> | undefined> =>
  (await table().client.send(new GetCommand({ TableName: table().tableName, Key: { pk, sk } }))).Item;

test.each([
  ['attempt', 'one'],
  ['status', 'paused'],
  ['queuedAt', 'yesterday'],
  ['connections', ['a list']],
  ['earlyOutputs', { length: 1 }],
  ['progress', 'half'],
  ['timeoutSeconds', 0],
  ['needs', ['KSampler']],
  ['attempts', [{ attempt: 1 }]],
  ['endingReason', 'boredom'],
])('a job whose %s is %p is an error that names the key and the field', async (field, value) => {
  const { connections: _, previewConnections: __, dueAt: ___, ...job } = makeJob({ jobId: freshId() });
  await put({ pk: `JOB#${job.jobId}`, sk: 'JOB', ...job, [field]: value });
  await expect(stores().jobs.get(job.jobId)).rejects.toMatchObject({
    code: 'row.invalid',
    retryable: false,
    message: expect.stringMatching(new RegExp(`JOB#${job.jobId} / JOB: ${field}`)),
  });
});

test('a connection, a share and a worker of wrong types are errors as well', async () => {
  const { connections, shares, workers } = stores();
  const id = freshId();
  const rows = [
    { pk: `CONNECTION#${id}`, sk: 'CONNECTION', connectionId: 7, userId: id },
    { pk: 'SHARES', sk: id, userId: id, paused: 'no' },
    { pk: 'WORKERS', sk: id, workerId: id, held: {} },
  ];
  for (const row of rows) await put(row);
  const reads = [
    [connections.get(id), 'connectionId'],
    [shares.get(id), 'paused'],
    [workers.get(id), 'clientId'],
  ] as const;
  for (const [read, field] of reads) {
    const message: unknown = expect.stringContaining(field);
    await expect(read).rejects.toMatchObject({ code: 'row.invalid', message });
  }
  for (const row of rows) await remove(row);
});

test('a row that does not read is told and left out of its list, and the page is filled all the same', async () => {
  const told: unknown[] = [];
  const ignore = (): void => undefined;
  const logger = { info: ignore, warn: ignore, error: (code: string) => void told.push(code) };
  const { queue, shares, workers, index } = stores(logger);
  const [user, bad] = [freshId(), freshId()];
  const rows = [
    { pk: `QUEUE#${user}`, sk: `000000000000000#0#${bad}`, jobId: bad, priority: 'high', queuedAt: START },
    { pk: 'WORKERS', sk: bad, workerId: bad, bootId: 7 },
    { pk: 'SHARES', sk: bad, userId: bad, finishMs: 'much' },
    { pk: 'SHARES', sk: '#settings', paused: 'perhaps' },
    { pk: `JOB#${bad}`, sk: 'JOB', userId: user, createdKey: 'no-separator', status: 'asleep' },
    { pk: `JOB#${bad}`, sk: 'OTHER', due: 'DUE', dueAt: '2001-01-01T00:00:00.000Z', jobId: 7 },
  ];
  for (const row of rows) await put(row);
  const needs = { classes: [], models: [], tags: [] };
  const entry = { jobId: freshId(), userId: user, priority: 5, queuedAt: START, notBefore: null, needs };
  await queue.put(entry);
  expect(await queue.list(user, 1)).toEqual([entry]);
  expect((await workers.list()).map(({ workerId }) => workerId)).not.toContain(bad);
  const { paused, users } = await shares.list();
  expect([paused, users.map(({ userId }) => userId)]).toEqual([false, [user]]);
  expect(await index.list(user, { limit: 5 })).toMatchObject({ kind: 'page', jobIds: [] });
  expect(await index.counts(user)).toMatchObject({ pending: 0 });
  expect(await index.due('2001-01-01T00:00:01.000Z', 5)).toEqual([]);
  expect(told).toEqual(Array(7).fill('row.invalid'));
  await expect(stores().queue.list(user, 1)).rejects.toMatchObject({ code: 'row.invalid' });
  for (const row of rows) await remove(row);
});

describe('rows of an older shape', () => {
  test('a job without the later fields reads with their defaults, and takes its first ended attempt', async () => {
    const { jobs } = stores();
    const expected = makeJob({ jobId: freshId(), timeoutSeconds: DEFAULT_TIMEOUT_SECONDS });
    const { jobId } = expected;
    const later = ['endingSince', 'endingReason', 'timeoutSeconds', 'needs', 'fileCount', 'callbackUrl'];
    later.push('requestHash', 'retryOf', 'attempts', 'dueAt', 'connections', 'previewConnections');
    const old = Object.entries(expected).filter(([field]) => !later.includes(field));
    await put({ pk: `JOB#${jobId}`, sk: 'JOB', ...Object.fromEntries(old) });
    expect(await jobs.get(jobId)).toEqual(expected);
    const addAttempt = {
      attempt: 1,
      workerId: null,
      promptId: null,
      assignedAt: null,
      startedAt: null,
      endedAt: START,
      outcome: 'cancelled' as const,
      failure: null,
    };
    const updated = await jobs.update({ guard: { jobId, statuses: ['pending'] }, patch: { addAttempt } });
    expect(updated).toMatchObject({ kind: 'applied', job: { attempts: [addAttempt] } });
  });

  test('a worker that was registered before it could hold several jobs takes work after its next heartbeat', async () => {
    const { workers } = stores();
    const workerId = freshId();
    const { clientId, endpoint, bootId } = makeRegistration();
    await put({
      pk: 'WORKERS',
      sk: workerId,
      workerId,
      clientId,
      endpoint,
      status: 'idle',
      currentJobId: null,
      currentAttempt: null,
      assignedAt: null,
      bootId,
      monitorSequence: 1,
      comfyuiVersion: null,
      registeredAt: START,
      lastSeenAt: START,
      reportedAt: START,
      avoidUntil: null,
    });
    expect(await workers.get(workerId)).toMatchObject({ condition: 'ready', held: [], tags: [] });
    const assignment = { jobId: 'job', attempt: 1, userId: 'user-1', assignedAt: START };
    expect(await workers.claim(workerId, assignment, 1)).toBe(false);
    const report = { workerId, clientId, bootId, sequence: 2, timestamp: START };
    expect(await workers.heartbeat({ ...report, available: true })).toBe('applied');
    expect(await workers.claim(workerId, assignment, 1)).toBe(true);
    expect((await workers.get(workerId))?.held).toEqual([assignment]);
  });
});

test('a job is in the index of due jobs just while it has a due time', async () => {
  const { jobs } = stores();
  const jobId = freshId();
  const keys = async () => {
    const { createdKey, due, dueAt } = (await rowOf(`JOB#${jobId}`, 'JOB')) ?? {};
    return { createdKey, due, dueAt };
  };
  await jobs.create(makeJob({ jobId }));
  const createdKey = `${START}#${jobId}`;
  expect(await keys()).toEqual({ createdKey, due: undefined, dueAt: undefined });
  const guard = { jobId, statuses: ['pending'] as const };
  await jobs.update({ guard, patch: { dueAt: START } });
  expect(await keys()).toEqual({ createdKey, due: 'DUE', dueAt: START });
  await jobs.update({ guard, patch: { dueAt: null } });
  expect(await keys()).toEqual({ createdKey, due: undefined, dueAt: undefined });
});
