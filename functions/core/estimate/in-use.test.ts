/** Expectations where they are used: in the prompt that goes out, and in what a waiting task is told. */
import { describe, expect, test } from '@jest/globals';
import { createFakeTable } from '../../adapters/dynamodb/fake-table.ts';
import { createDispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import { dispatchPending } from '../dispatch/dispatch.ts';
import { entryOf } from '../queue-entry.ts';
import { outlookOf } from '../task-outlook.ts';
import { createFakeClock } from '../test-support/fake-clock.ts';
import {
  createSilentLogger,
  makeAssignedJob,
  makeJob,
  makeRegistration,
  NO_NEEDS,
  uuidOf,
} from '../test-support/fixtures.ts';
import { createExpectedDuration } from './expected-duration.ts';
import { learnAttempt } from './learn-attempt.ts';
import { modelsKey } from './models-key.ts';

const WORKFLOW = {
  '1': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a.safetensors' } },
  '2': { class_type: 'KSampler', inputs: { model: ['1', 0], steps: 10 } },
};
const WORKFLOW_TEXT = JSON.stringify(WORKFLOW);
const NEEDS = { ...NO_NEEDS, models: ['a.safetensors'] };

const executed = (nodeId: string, durationMs: number) => ({
  nodeId,
  nodeName: nodeId,
  nodeType: 'X',
  state: 'executed' as const,
  at: '2026-11-22T10:00:00.000Z',
  durationMs,
  attempt: 1,
});

/** One run that loaded its model, and one that found it loaded. */
const teach = async (table: ReturnType<typeof createFakeTable>, kind: string): Promise<void> => {
  const runs = [[executed('1', 20_000), executed('2', 10_000)], [executed('2', 5000)]];
  for (const [index, nodes] of runs.entries()) {
    const deps = {
      profiles: table.profiles,
      timeline: { list: async () => nodes },
      logger: createSilentLogger(),
    };
    const jobId = `taught-${index}`;
    await learnAttempt({ jobId, attempt: 1, durationMs: null, workflow: WORKFLOW, kind }, deps);
  }
};

const extraData = (body: string): Record<string, unknown> =>
  (JSON.parse(body) as { extra_data: Record<string, unknown> }).extra_data;

describe('a prompt that is dispatched', () => {
  test('carries what its workflow took on workers of that kind', async () => {
    const world = createDispatchWorld();
    await world.table.workers.register(
      makeRegistration({ workerId: 'w1', endpoint: 'http://w1:8188', kind: 'rtx' }),
    );
    await teach(world.table, 'rtx');
    await world.addJob({ workflowText: WORKFLOW_TEXT, needs: { models: NEEDS.models } });
    expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
    expect(extraData(world.comfyUi.posted[0]?.body ?? '')['expected']).toMatchObject({
      nodes: { '1': [20_000, 5000], '2': [5000, 1250] },
      cold: { '2': [10_000, 2500] },
      loads: ['1'],
    });
    expect(world.table.allWorkers()[0]?.lastModels).toBe(modelsKey(NEEDS));
  });

  test.each(['before', 'after'] as const)(
    'goes out without when the table fails %s the read',
    async (when) => {
      const world = createDispatchWorld();
      await world.addWorker('w1');
      await world.addJob({ workflowText: WORKFLOW_TEXT });
      world.table.fail('profiles', 'get', 2, when);
      expect(await dispatchPending(world.deps)).toMatchObject({ dispatched: 1 });
      expect(extraData(world.comfyUi.posted[0]?.body ?? '')).not.toHaveProperty('expected');
    },
  );
});

describe('a task that waits', () => {
  const setUp = async (kind = 'rtx') => {
    const clock = createFakeClock();
    const table = createFakeTable(clock);
    const reads: string[] = [];
    const workflows = {
      get: async (jobId: string) => {
        reads.push(jobId);
        return WORKFLOW_TEXT;
      },
    };
    const logger = createSilentLogger();
    const expectedDuration = createExpectedDuration({ profiles: table.profiles, workflows, logger });
    await teach(table, 'rtx');
    await table.workers.register(makeRegistration({ kind }));
    const job = makeJob({ jobId: uuidOf(1), queuedAt: clock.iso(), needs: NEEDS });
    await table.queue.put(entryOf(job));
    const eta = async () => (await outlookOf(job, clock.now(), { ...table, expectedDuration })).etaSeconds;
    return { clock, table, eta, reads };
  };

  test('is told the time of its workflow, and the loading of its models where no worker just had them', async () => {
    const { clock, table, eta, reads } = await setUp();
    expect(await eta()).toBe(30);
    const before = { jobId: uuidOf(2), attempt: 1, userId: 'other', assignedAt: clock.iso() };
    await table.workers.claim('pod-1', before, 1, modelsKey(NEEDS));
    await table.workers.release('pod-1', before.jobId, 1);
    expect(await eta()).toBe(5);
    expect(reads).toHaveLength(1);
  });

  test('is told nothing where neither its workflow nor its user is known', async () => {
    expect(await (await setUp('another')).eta()).toBeNull();
  });
});

describe('a task that runs', () => {
  test('is told what its monitor estimates, less what has passed', async () => {
    const clock = createFakeClock();
    const table = createFakeTable(clock);
    const progress = { overallPercentage: 40, eta: { lowSeconds: 20, highSeconds: 30 } };
    const job = makeAssignedJob({ status: 'running', startedAt: clock.iso(), updatedAt: clock.iso() });
    clock.advance(5000);
    const seen = await outlookOf({ ...job, progress: progress as typeof job.progress }, clock.now(), table);
    expect(seen).toEqual({ queuePosition: null, etaSeconds: 20 });
  });
});
