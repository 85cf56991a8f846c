/** One contract for the stores: what holds for the table must hold for the fakes, or tests over fakes prove nothing. */
import { describe, expect, test } from '@jest/globals';
import type { EndedAttempt, Job } from '../../core/job.ts';
import {
  makeAssignedJob,
  makeJob,
  PROMPT_ID,
  START,
  uuidOf,
  WORKER_ID,
} from '../../core/test-support/fixtures.ts';
import { KINDS, useStores } from '../test-support/contract-stores.ts';

const { setUpKind, freshId } = useStores();

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

describe.each(KINDS)('stores %s', (kind) => {
  const setUp = () => setUpKind(kind);

  describe('jobs', () => {
    test('a job is created once and read back whole', async () => {
      const { jobs } = setUp();
      const job = makeJob({
        jobId: freshId(),
        progress: progress(50),
        earlyOutputs: [output(1)],
        failure: { reason: 'nodeError', message: 'no', nodeId: '__proto__' },
        connections: ['a', 'b'],
        needs: { classes: ['KSampler'], models: ['a.safetensors'], tags: ['a100'] },
        callbackUrl: 'https://example.com/',
        requestHash: 'ab',
        retryOf: uuidOf(99),
        timeoutSeconds: 60,
        fileCount: 2,
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

    test('ended attempts are appended, oldest first', async () => {
      const { jobs } = setUp();
      const jobId = freshId();
      await jobs.create(makeAssignedJob({ jobId }));
      const guard = { jobId, statuses: ['assigned'] as const };
      const ended = (attempt: number): EndedAttempt => ({
        attempt,
        workerId: WORKER_ID,
        promptId: PROMPT_ID,
        assignedAt: START,
        startedAt: null,
        endedAt: START,
        outcome: 'failed',
        failure: { reason: 'timeout', message: 'too long' },
      });
      await jobs.update({ guard, patch: { addAttempt: ended(1), endingSince: null } });
      const updated = await jobs.update({ guard, patch: { addAttempt: ended(2), fileCount: 3 } });
      expect(updated).toMatchObject({
        kind: 'applied',
        job: { attempts: [ended(1), ended(2)], fileCount: 3 },
      });
      expect(await jobs.get(jobId)).toMatchObject({ attempts: [ended(1), ended(2)] });
    });

    test('when it is due is set, moved and removed', async () => {
      const { jobs, clock } = setUp();
      const jobId = freshId();
      await jobs.create(makeAssignedJob({ jobId, dueAt: clock.iso(1000) }));
      const guard = { jobId, statuses: ['assigned'] as const };
      expect((await jobs.get(jobId))?.dueAt).toBe(clock.iso(1000));
      await jobs.update({ guard, patch: { dueAt: clock.iso(2000) } });
      expect((await jobs.get(jobId))?.dueAt).toBe(clock.iso(2000));
      await jobs.update({ guard, patch: { endingReason: 'timeout' } });
      expect(await jobs.get(jobId)).toMatchObject({ dueAt: clock.iso(2000), endingReason: 'timeout' });
      const cleared = await jobs.update({ guard, patch: { dueAt: null } });
      expect(cleared).toMatchObject({ kind: 'applied', job: { dueAt: null } });
      expect(await jobs.update({ guard, patch: { dueAt: null } })).toMatchObject({ kind: 'applied' });
      await jobs.update({ guard, patch: { dueAt: clock.iso(3000) } });
      expect((await jobs.get(jobId))?.dueAt).toBe(clock.iso(3000));
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
