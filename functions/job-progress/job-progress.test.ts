import { describe, expect, test } from '@jest/globals';
import { exampleOf, type DetailOf } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { storedOutput } from '../adapters/test-support/stored-output.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger, JOB_ID, makeAssignedJob, makeEvent } from '../core/test-support/fixtures.ts';
import { createJobProgressHandler } from './job-progress.ts';

const start = async (overrides: Partial<Job> = {}) => {
  const table = createFakeTable(createFakeClock());
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  const connections = ['connection-1', 'connection-2', 'connection-3'];
  await table.jobs.create(makeAssignedJob({ connections, ...overrides }));
  const handle = createJobProgressHandler({ ...table, pusher, logger });
  return { handle, table, pusher, logger, job: async () => (await table.jobs.get(JOB_ID))! };
};

const progress = (detail: Partial<DetailOf<'Node Progress Update'>> = {}) =>
  makeEvent('Node Progress Update', { sequence: 2, ...detail });

describe('Node Progress Update', () => {
  test('moves the job on and reads as in the seed', async () => {
    const { handle, pusher, job } = await start();
    await handle(progress());
    const message = 'Generating image using K-Sampler: 15/20 steps (75%)';
    expect(await job()).toMatchObject({
      status: 'running',
      eventSequence: 2,
      progress: { message, overallPercentage: exampleOf('Node Progress Update').overallPercentage },
    });
    expect(pusher.sent.map(({ connectionId }) => connectionId)).toEqual([
      'connection-1',
      'connection-2',
      'connection-3',
    ]);
    expect(pusher.sent[0]?.message).toMatchObject({
      type: 'job_progress',
      sequence: 3,
      message,
      nodeName: 'K-Sampler',
    });
    expect(pusher.sent[0]?.message).not.toHaveProperty('eventId');
  });

  test('shows the outputs that are stored already', async () => {
    const { handle, pusher } = await start({ earlyOutputs: [storedOutput(0), storedOutput(0)] });
    await handle(progress());
    expect(pusher.sent[0]?.message).toMatchObject({ outputs: [storedOutput(0)] });
  });

  test('of an older snapshot is dropped', async () => {
    const { handle, pusher, job } = await start();
    await handle(progress({ sequence: 5, overallPercentage: 60 }));
    await handle(progress({ sequence: 4, overallPercentage: 50 }));
    expect((await job()).progress?.overallPercentage).toBe(60);
    expect(pusher.sent).toHaveLength(3);
  });

  test('a closed connection leaves the job; one that fails keeps neither the others nor the event', async () => {
    const { handle, pusher, job, logger } = await start();
    pusher.gone.add('connection-1');
    pusher.broken.add('connection-2');
    await handle(progress());
    expect(pusher.sent.map(({ connectionId }) => connectionId)).toEqual(['connection-3']);
    expect((await job()).connections).toEqual(['connection-2', 'connection-3']);
    expect(logger.lines.map(({ code }) => code)).toEqual(['push.failed']);
  });
});

describe('Node Executing and Node Executed', () => {
  const executing = makeEvent('Node Executing', { sequence: 3 });
  const executed = makeEvent('Node Executed', { sequence: 4 });

  test('are written to the timeline once each, in any order, and leave the job alone', async () => {
    const { handle, table, pusher, job } = await start();
    const before = await job();
    for (const event of [executed, executing, executed]) await handle(event);
    expect([...table.transitions.keys()].sort()).toEqual([`${JOB_ID}/1/3`, `${JOB_ID}/1/4`]);
    const [node] = exampleOf('Node Executed').nodes;
    expect(table.transitions.get(`${JOB_ID}/1/4`)?.[0]).toEqual({
      nodeId: node?.nodeId,
      nodeName: node?.nodeName,
      nodeType: node?.nodeType,
      state: 'executed',
      at: node?.finishedAt,
      cached: node?.cached,
      ...(node?.durationMs === undefined ? {} : { durationMs: node.durationMs }),
    });
    expect(await job()).toEqual(before);
    // Each delivery tells the followers: a record replaces the one of the same node.
    const told = pusher.sent.filter(({ connectionId }) => connectionId === 'connection-1');
    expect(told.map(({ message }) => message)).toMatchObject([
      { type: 'job_nodes', sequence: before.revision, nodes: [{ state: 'executed' }] },
      { type: 'job_nodes', sequence: before.revision, nodes: [{ state: 'executing' }] },
      { type: 'job_nodes', sequence: before.revision, nodes: [{ state: 'executed' }] },
    ]);
  });

  test('of another attempt, another worker or no job are dropped', async () => {
    const { handle, table } = await start();
    await handle(makeEvent('Node Executing', { attempt: 2 }));
    await handle(makeEvent('Node Executing', { workerId: 'pod-2' }));
    await handle(makeEvent('Node Executed', { jobId: 'another' }));
    expect(table.transitions.size).toBe(0);
  });
});
