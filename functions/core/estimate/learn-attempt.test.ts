import { describe, expect, test } from '@jest/globals';
import { createFakeProfileStore } from '../../adapters/dynamodb/profile-store.fake.ts';
import { createSilentLogger } from '../test-support/fixtures.ts';
import type { NodeTransition } from '../ports.ts';
import { expectPrompt } from './expect-prompt.ts';
import { learnAttempt } from './learn-attempt.ts';
import { shapeOf } from './workflow-shape.ts';
import { workerKind } from './worker-kind.ts';

const WORKFLOW = {
  '1': { class_type: 'KSampler', inputs: { steps: 10 } },
  '2': { class_type: 'SaveImage', inputs: { images: ['1', 0] } },
};
const HASH = shapeOf(WORKFLOW)?.hash ?? '';

const node = (nodeId: string, durationMs: number, more: Partial<NodeTransition> = {}) => ({
  nodeId,
  nodeName: nodeId,
  nodeType: 'X',
  state: 'executed' as const,
  at: '2026-11-22T10:00:00.000Z',
  durationMs,
  attempt: 2,
  ...more,
});

const setUp = () => {
  const profiles = createFakeProfileStore();
  const logger = createSilentLogger();
  const transitions = [
    node('1', 5000),
    node('2', 100),
    { ...node('1', 90_000), attempt: 1 },
    node('2', 7, { cached: true }),
    node('1', 3, { state: 'executing' }),
  ];
  const deps = { profiles, logger, timeline: { list: async () => transitions } };
  const learn = (jobId: string, workflow: unknown = WORKFLOW): Promise<void> =>
    learnAttempt({ jobId, attempt: 2, durationMs: 5200, workflow, kind: 'gpu' }, deps);
  return { profiles, logger, deps, learn };
};

describe('a completed attempt', () => {
  test('teaches its workflow and its classes, what ran in it and nothing else', async () => {
    const { profiles, learn } = setUp();
    await learn('a');
    expect(profiles.profiles.get(`${HASH}/gpu`)?.warm.get('1')).toMatchObject({ mean: 500, count: 1 });
    expect(profiles.profiles.get(`${HASH}/gpu`)?.warm.get('2')).toMatchObject({ mean: 100 });
    expect(profiles.profiles.get('CLASS/gpu')?.warm.get('KSampler')).toMatchObject({ mean: 500 });
  });

  test('teaches once, however often it is told', async () => {
    const { profiles, learn } = setUp();
    for (const jobId of ['a', 'a', 'b', 'b']) await learn(jobId);
    expect(profiles.profiles.get(`${HASH}/gpu`)?.runs).toBe(2);
    expect(profiles.profiles.get('CLASS/gpu')?.runs).toBe(2);
  });

  test('costs one write once its workflow is known', async () => {
    const { profiles, deps, learn } = setUp();
    for (const jobId of ['a', 'b', 'c']) await learn(jobId);
    const writes: string[] = [];
    const counted = {
      ...deps,
      profiles: {
        ...profiles,
        put: (...call: Parameters<typeof profiles.put>) => {
          writes.push(call[0].of);
          return profiles.put(...call);
        },
      },
    };
    const attempt = { jobId: 'd', attempt: 2, durationMs: null, workflow: WORKFLOW, kind: 'gpu' };
    await learnAttempt(attempt, counted);
    expect(writes).toEqual([HASH]);
  });

  test('is taught again when another job came in between', async () => {
    const { profiles, deps } = setUp();
    let first = true;
    const racing = {
      ...deps,
      profiles: {
        ...profiles,
        put: async (...call: Parameters<typeof profiles.put>) => {
          const lost = first;
          first = false;
          return lost ? false : profiles.put(...call);
        },
      },
    };
    await learnAttempt({ jobId: 'a', attempt: 2, durationMs: null, workflow: WORKFLOW, kind: 'gpu' }, racing);
    expect(profiles.profiles.get(`${HASH}/gpu`)?.runs).toBe(1);
  });

  test.each([undefined, null, [], {}, 'x', { '1': 7 }])(
    'of no workflow (%p) teaches nothing',
    async (bad) => {
      const { profiles, logger, learn } = setUp();
      await learn('a', bad ?? null);
      expect(profiles.profiles.size).toBe(0);
      expect(logger.lines).toEqual([]);
    },
  );

  test('is completed all the same when the table fails', async () => {
    const { deps, logger } = setUp();
    const timeline = { list: () => Promise.reject(new Error('down')) };
    const attempt = { jobId: 'a', attempt: 2, durationMs: 1, workflow: WORKFLOW, kind: 'gpu' };
    await learnAttempt(attempt, { ...deps, timeline });
    expect(logger.lines.map(({ code }) => code)).toEqual(['estimate.not-learnt']);
  });
});

describe('a prompt', () => {
  test('goes out with what was learnt on that kind of worker', async () => {
    const { deps, learn } = setUp();
    await learn('a');
    const text = JSON.stringify(WORKFLOW);
    expect(await expectPrompt('b', text, 'gpu', deps)).toMatchObject({ nodes: { '1': [5000, 1250] } });
    expect(await expectPrompt('b', text, 'other', deps)).toMatchObject({ nodes: {} });
    expect(await expectPrompt('b', '[]', 'gpu', deps)).toBeUndefined();
  });

  test('goes out without when its text does not read or the table fails', async () => {
    const { deps, logger } = setUp();
    expect(await expectPrompt('b', '{', 'gpu', deps)).toBeUndefined();
    const profiles = { ...deps.profiles, get: () => Promise.reject(new Error('down')) };
    expect(await expectPrompt('b', JSON.stringify(WORKFLOW), 'gpu', { ...deps, profiles })).toBeUndefined();
    expect(logger.lines.map(({ code }) => code)).toEqual(['estimate.not-read', 'estimate.not-read']);
  });
});

test.each([
  ['cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync', 'nvidia-geforce-rtx-4090'],
  ['cuda:3 NVIDIA GeForce RTX 4090 : native', 'nvidia-geforce-rtx-4090'],
  ['cpu', 'cpu'],
  ['', 'unknown'],
  ['世界', 'unknown'],
  ['x'.repeat(300), 'x'.repeat(64)],
])('the device %p is of the kind %p', (name, kind) => {
  expect(workerKind([{ name }])).toBe(kind);
});

test('two cards are another kind than one', () => {
  expect(workerKind([{ name: 'cuda:0 A' }, { name: 'cuda:1 A' }])).toBe('a-x2');
  expect(workerKind([])).toBe('unknown');
});
