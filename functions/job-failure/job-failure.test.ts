import { describe, expect, test } from '@jest/globals';
import type { DetailOf } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../adapters/eventbridge/event-publisher.fake.ts';
import { storedOutput } from '../adapters/test-support/stored-output.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createFaults, InjectedFault, type FaultTime } from '../core/test-support/faults.ts';
import { createSilentLogger, JOB_ID, makeAssignedJob, makeEvent } from '../core/test-support/fixtures.ts';
import { createJobFailureHandler } from './job-failure.ts';

const start = async (overrides: Partial<Job> = {}) => {
  const clock = createFakeClock();
  clock.advance(5000);
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  await table.jobs.create(
    makeAssignedJob({ status: 'running', eventSequence: 3, connections: ['connection-1'], ...overrides }),
  );
  const handle = createJobFailureHandler({
    ...table,
    clock,
    publisher: faults.wrap('publisher', publisher),
    pusher: faults.wrap('pusher', pusher),
    random: () => 0.5,
    logger: createSilentLogger(),
  });
  return {
    handle,
    faults,
    table,
    publisher,
    pusher,
    firstCall: faults.calls.length + 1,
    job: () => table.allJobs().find(({ jobId }) => jobId === JOB_ID)!,
    eventIds: () =>
      new Set(publisher.events.map(({ detailType, detail }) => `${detailType} ${detail.eventId}`)),
    pushed: () => pusher.sent.map(({ message }) => message.type),
  };
};

const failed = (detail: Partial<DetailOf<'Job Failed'>>) =>
  makeEvent('Job Failed', { sequence: 9, ...detail });
const cancelled = (reason: DetailOf<'Job Cancelled'>['reason']) =>
  makeEvent('Job Cancelled', { sequence: 9, reason });

describe('what becomes of the job', () => {
  test('a wrong workflow fails at once, and the message names the node', async () => {
    const world = await start({ earlyOutputs: [storedOutput(0)] });
    await world.handle(
      failed({
        reason: 'nodeError',
        message: 'mat1 and mat2\nshapes cannot be multiplied\n',
        nodeId: '3',
        nodeName: 'K-Sampler',
        nodeType: 'KSampler',
        exceptionType: 'RuntimeError',
      }),
    );
    const message = 'K-Sampler: mat1 and mat2 shapes cannot be multiplied';
    expect(world.job()).toMatchObject({
      status: 'failed',
      failure: {
        reason: 'nodeError',
        message,
        nodeId: '3',
        nodeType: 'KSampler',
        exceptionType: 'RuntimeError',
      },
      outputCount: 1,
      earlyOutputs: [storedOutput(0)],
      completedAt: expect.any(String),
    });
    expect(world.pusher.sent).toMatchObject([
      { message: { type: 'job_failed', reason: 'nodeError', message, nodeName: 'K-Sampler', sequence: 3 } },
    ]);
    expect(world.publisher.events).toMatchObject([{ detailType: 'Task Failed', detail: { message } }]);
  });

  test('a lost attempt waits ten seconds and more, and says so', async () => {
    const world = await start({ retryCount: 1 });
    await world.handle(failed({ reason: 'comfyRestarted', message: 'ComfyUI restarted' }));
    expect(world.job()).toMatchObject({
      status: 'pending',
      attempt: 1,
      retryCount: 2,
      promptId: null,
      workerId: null,
      clientId: null,
      progress: null,
    });
    expect(world.pusher.sent).toMatchObject([
      { message: { type: 'job_retrying', nextAttempt: 2, maxRetries: 3, delaySeconds: 22 } },
    ]);
    expect(world.publisher.events).toMatchObject([
      { detailType: 'Task Retrying', detail: { reason: 'comfyRestarted', nextAttempt: 2, delaySeconds: 22 } },
    ]);
    const [entry] = await world.table.allQueue();
    expect(Date.parse(entry!.notBefore!) - Date.parse(entry!.queuedAt)).toBe(22_000);
  });

  test.each(['interrupted', 'deletedWhilePending'] as const)(
    'an attempt that somebody else ended (%s) is tried again; one that the user cancelled is not',
    async (reason) => {
      const theirs = await start();
      await theirs.handle(cancelled(reason));
      expect(theirs.job().status).toBe('pending');
      const ours = await start({ cancelRequestedAt: '2026-11-22T10:00:03.000Z' });
      await ours.handle(cancelled(reason));
      expect(ours.job()).toMatchObject({ status: 'cancelled', failure: null });
      expect(ours.pushed()).toEqual(['job_cancelled']);
      expect(await ours.table.allQueue()).toEqual([]);
    },
  );

  test('a message of any length is told in one line', async () => {
    const world = await start();
    await world.handle(failed({ reason: 'internal', message: 'x \n'.repeat(1300) }));
    expect(world.job().failure?.message.length).toBeLessThanOrEqual(1000);
    expect(world.job().failure?.message).not.toContain('\n');
    const silent = await start();
    await silent.handle(failed({ reason: 'internal', message: '\n' }));
    expect(silent.job().failure?.message).not.toBe('');
  });
});

describe('a crash at any call is healed by the next delivery', () => {
  const outcomes = [
    {
      name: 'retry',
      event: failed({ reason: 'vanished', message: 'gone' }),
      status: 'pending',
      push: 'job_retrying',
    },
    {
      name: 'failure',
      event: failed({ reason: 'nodeError', message: 'no' }),
      status: 'failed',
      push: 'job_failed',
    },
    {
      name: 'cancellation',
      event: cancelled('interrupted'),
      status: 'cancelled',
      push: 'job_cancelled',
      job: { cancelRequestedAt: '2026-11-22T10:00:03.000Z' },
    },
  ] as const;
  const times: readonly FaultTime[] = ['before', 'after'];

  test.each(outcomes.flatMap((outcome) => times.map((time) => [outcome.name, time, outcome] as const)))(
    '%s, %s the effect',
    async (_name, time, outcome) => {
      let crashes = 0;
      for (let call = 0; ; call += 1) {
        const world = await start('job' in outcome ? outcome.job : {});
        world.faults.crashAt(world.firstCall + call, time);
        const died = await world.handle(outcome.event).then(
          () => false,
          (error: unknown) => error instanceof InjectedFault,
        );
        const reached = world.faults.calls.length >= world.firstCall + call;
        world.faults.recover();
        await world.handle(outcome.event);
        await world.handle(outcome.event);
        const job = world.job();
        expect(job.status).toBe(outcome.status);
        expect(job.retryCount).toBe(outcome.status === 'pending' ? 1 : 0);
        const queue = await world.table.allQueue();
        // An entry that a crash left behind is no other job's: the dispatcher drops what is not under `queuedAt`.
        expect(queue.filter(({ queuedAt }) => queuedAt === job.queuedAt)).toHaveLength(
          outcome.status === 'pending' ? 1 : 0,
        );
        expect(world.eventIds().size).toBe(1);
        expect(world.pushed()).toContain(outcome.push);
        if (!reached) break;
        if (died) crashes += 1;
      }
      expect(crashes).toBeGreaterThan(2);
    },
  );
});
