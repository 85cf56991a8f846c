import { expect, test } from '@jest/globals';
import { timelineSchema } from '../../shared-types/index.ts';
import { MAX_TRANSITIONS, timelineOf } from './task-timeline.ts';
import { makeJob } from './test-support/fixtures.ts';

const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 22, 10, 0, seconds)).toISOString();
const node = { nodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler' };

test('a retried task is told from its submission to its end, in order', () => {
  const job = makeJob({
    status: 'completed',
    createdAt: at(0),
    attempt: 2,
    workerId: 'pod-2',
    assignedAt: at(20),
    startedAt: at(21),
    completedAt: at(30),
    durationMs: 8000,
    attempts: [
      {
        attempt: 1,
        workerId: 'pod-1',
        promptId: 'p',
        assignedAt: at(1),
        startedAt: at(2),
        endedAt: at(9),
        outcome: 'failed',
        failure: {
          reason: 'outOfMemory',
          message: 'out of memory',
          nodeId: '3',
          nodeName: 'K-Sampler',
          nodeType: 'KSampler',
        },
      },
    ],
  });
  const timeline = timelineOf(job, [
    { ...node, attempt: 1, state: 'executing', at: at(3) },
    {
      ...node,
      attempt: 2,
      nodeId: '4',
      nodeName: 'Load Checkpoint',
      state: 'executed',
      at: at(21),
      cached: true,
    },
    { ...node, attempt: 2, state: 'executing', at: at(22) },
    { ...node, attempt: 2, state: 'executed', at: at(28), durationMs: 6000 },
  ]);
  expect(timelineSchema.parse(timeline)).toEqual(timeline);
  expect(timeline.entries.map(({ what, attempt }) => `${attempt} ${what}`)).toEqual([
    '0 submitted',
    '1 assigned',
    '1 started',
    '1 node_executing',
    '1 attempt_failed',
    '2 assigned',
    '2 started',
    '2 node_cached',
    '2 node_executing',
    '2 node_executed',
    '2 completed',
  ]);
  expect(timeline.entries[4]).toMatchObject({ worker_id: 'pod-1', node_id: '3', message: 'out of memory' });
  expect(timeline.entries.at(-1)).toMatchObject({ worker_id: 'pod-2', duration_ms: 8000 });
});

test('a task that waits has been submitted, and nothing else', () => {
  expect(timelineOf(makeJob(), []).entries.map(({ what }) => what)).toEqual(['submitted']);
});

test('a task that failed says so once, whether or not its last attempt is kept', () => {
  const failure = { reason: 'nodeError', message: 'boom' } as const;
  const job = makeJob({
    status: 'failed',
    attempt: 1,
    workerId: 'pod-1',
    assignedAt: at(1),
    completedAt: at(5),
    failure,
  });
  const ended = {
    attempt: 1,
    workerId: 'pod-1',
    promptId: null,
    assignedAt: at(1),
    startedAt: null,
    endedAt: at(5),
    outcome: 'failed',
    failure,
  } as const;
  for (const attempts of [[], [ended]]) {
    const { entries } = timelineOf({ ...job, attempts }, []);
    expect(entries.map(({ what }) => what)).toEqual(['submitted', 'assigned', 'failed']);
    expect(entries.at(-1)?.message).toBe('boom');
  }
});

test('more than an answer holds is cut, and said so', () => {
  const many = Array.from({ length: MAX_TRANSITIONS + 1 }, () => ({
    ...node,
    attempt: 1,
    state: 'executing' as const,
    at: at(1),
  }));
  const { entries, truncated } = timelineOf(makeJob(), many);
  expect(entries).toHaveLength(MAX_TRANSITIONS + 1);
  expect(truncated).toBe(true);
});
