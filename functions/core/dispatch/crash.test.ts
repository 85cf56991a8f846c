/** A dispatcher may die at any call, before or after its effect. Whatever it leaves behind, later passes heal. */
import { describe, expect, test } from '@jest/globals';
import { createDispatchWorld, type DispatchWorld } from '../../adapters/test-support/dispatch-world.ts';
import type { FaultTime } from '../test-support/faults.ts';
import type { SubmitScript } from '../test-support/scripted-comfyui.ts';
import { isTerminal } from '../job.ts';
import { dispatchPending } from './dispatch.ts';
import { sweep } from './sweep.ts';

interface Scenario {
  readonly name: string;
  /** What stands before the dispatcher starts. Its calls do not fail. */
  readonly prepare: (world: DispatchWorld) => Promise<void>;
  /** What dies. */
  readonly act: (world: DispatchWorld) => Promise<unknown>;
}

/** Two jobs wait, two workers are idle. */
const twoOfEach =
  (...scripts: SubmitScript[]): Scenario['prepare'] =>
  async (world) => {
    await world.addWorker('w1');
    await world.addWorker('w2');
    await world.addJob();
    await world.addJob({ priority: 7 });
    world.comfyUi.script(...scripts);
  };

const dispatch: Scenario['act'] = ({ deps }) => dispatchPending(deps);
const sweepAndDispatch: Scenario['act'] = async ({ deps }) => {
  await sweep(deps);
  await dispatchPending(deps);
};

const scenarios: readonly Scenario[] = [
  { name: 'a dispatch that is accepted', prepare: twoOfEach(), act: dispatch },
  { name: 'a dispatch that is rejected', prepare: twoOfEach('reject'), act: dispatch },
  { name: 'a dispatch of unknown outcome that took', prepare: twoOfEach('unknownQueued'), act: dispatch },
  { name: 'a dispatch of unknown outcome that did not', prepare: twoOfEach('unknownLost'), act: dispatch },
  { name: 'a dispatch to nobody', prepare: twoOfEach('unreachable', 'unreachable'), act: dispatch },
  {
    name: 'a sweep of a worker that fell silent',
    prepare: async (world) => {
      await twoOfEach()(world);
      await dispatchPending(world.deps);
      world.silent.add('w1');
      world.clock.advance(61_000);
      await world.heartbeat();
    },
    act: sweepAndDispatch,
  },
  {
    name: 'a sweep of a prompt that was lost',
    prepare: async (world) => {
      await twoOfEach()(world);
      await dispatchPending(world.deps);
      world.comfyUi.restart(world.endpointOf('w1'));
      world.clock.advance(61_000);
      await world.heartbeat();
    },
    act: sweepAndDispatch,
  },
  {
    name: 'a submission',
    prepare: async (world) => {
      await twoOfEach()(world);
    },
    act: (world) => world.addJob({ priority: 9 }),
  },
];

/** No pending job without the entry that leads to it, and never two runs of one job's present attempt. */
const expectNothingLost = async (world: DispatchWorld): Promise<void> => {
  const queue = await world.table.allQueue();
  const wrong = world.table.allJobs().filter(({ jobId, status, queuedAt }) => {
    if (world.livePrompts(jobId).length > 1) return true;
    const entries = queue.filter((entry) => entry.jobId === jobId && entry.queuedAt === queuedAt);
    return status === 'pending' && entries.length !== 1;
  });
  // One expectation for all: this is asked some thousand times, and each one costs more than the question.
  expect(wrong).toEqual([]);
};

/** A monitor tells of every prompt that its ComfyUI has: its job runs. */
const start = async (world: DispatchWorld): Promise<void> => {
  for (const { endpoint, workerId } of world.table.allWorkers()) {
    for (const { jobId, attempt, promptId } of world.comfyUi.live(endpoint)) {
      await world.table.jobs.update({
        guard: { jobId, attempt, promptId, workerId, statuses: ['assigned'], eventSequenceBelow: 1 },
        patch: { status: 'running', eventSequence: 1, startedAt: world.clock.iso() },
      });
    }
  }
};

const minute = async (world: DispatchWorld): Promise<void> => {
  world.clock.advance(60_000);
  await world.heartbeat();
  await start(world);
  await sweep(world.deps);
  await dispatchPending(world.deps);
};

const conditionOf = ({ silent }: DispatchWorld, workerId: string): 'lost' | 'ready' =>
  silent.has(workerId) ? 'lost' : 'ready';

/** Every job has ended, nobody holds anything, and who fell silent is lost. */
const isQuiet = async (world: DispatchWorld): Promise<boolean> =>
  world.table.allJobs().every(({ status }) => isTerminal(status)) &&
  world.table.allShares().every(({ active }) => active.length === 0) &&
  world.table
    .allWorkers()
    .every(
      ({ workerId, held, condition }) => held.length === 0 && condition === conditionOf(world, workerId),
    ) &&
  (await world.table.allQueue()).length === 0;

/** Minutes pass, every prompt ends after one, until all is quiet, and one more, after which it still should be. */
const live = async (world: DispatchWorld): Promise<void> => {
  let quiet = false;
  for (let passed = 0; passed < 15 && !quiet; passed += 1) {
    quiet = await isQuiet(world);
    await minute(world);
    await expectNothingLost(world);
    for (const { endpoint } of world.table.allWorkers()) {
      for (const prompt of world.comfyUi.live(endpoint)) await world.complete(prompt);
    }
  }
};

const expectAllDone = async (world: DispatchWorld): Promise<void> => {
  for (const job of world.table.allJobs()) {
    expect(isTerminal(job.status)).toBe(true);
    const won = world.comfyUi.queued.filter(({ promptId }) => promptId === job.promptId);
    expect(won).toHaveLength(job.status === 'completed' ? 1 : 0);
  }
  expect(await world.table.allQueue()).toEqual([]);
  expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
  for (const worker of world.table.allWorkers()) {
    expect(worker).toMatchObject({ held: [], condition: conditionOf(world, worker.workerId) });
  }
};

/** How many calls the scenario makes when nothing fails. */
const countCalls = async ({ prepare, act }: Scenario): Promise<number> => {
  const world = createDispatchWorld();
  await prepare(world);
  const before = world.faults.calls.length;
  await act(world);
  return world.faults.calls.length - before;
};

const crashed = async ({ prepare, act }: Scenario, call: number, time: FaultTime): Promise<DispatchWorld> => {
  const world = createDispatchWorld();
  await prepare(world);
  world.faults.crashAt(world.faults.calls.length + call, time);
  await act(world).catch(() => undefined);
  world.faults.recover();
  return world;
};

describe.each(scenarios)('$name', (scenario) => {
  test.each<FaultTime>(['before', 'after'])('may die %s any of its calls', async (time) => {
    const calls = await countCalls(scenario);
    expect(calls).toBeGreaterThan(2);
    for (let call = 1; call <= calls; call += 1) {
      const world = await crashed(scenario, call, time);
      await expectNothingLost(world);
      await live(world);
      await expectAllDone(world);
      const ended = world.table.allJobs().map(({ status }) => status);
      const rejected = scenario.name.includes('rejected') ? ['completed', 'failed'] : ['completed'];
      expect(rejected).toEqual(expect.arrayContaining(ended));
    }
  });

  test.each<FaultTime>(['before', 'after'])('may have any one call fail %s its effect', async (time) => {
    const calls = await countCalls(scenario);
    for (let call = 1; call <= calls; call += 1) {
      const world = createDispatchWorld();
      await scenario.prepare(world);
      world.faults.failCall(world.faults.calls.length + call, time);
      await scenario.act(world).catch(() => undefined);
      world.faults.recover();
      await live(world);
      await expectAllDone(world);
    }
  });
});

test('a submission that died is either whole or nothing', async () => {
  const submission = scenarios.at(-1)!;
  const calls = await countCalls(submission);
  for (let call = 1; call <= calls; call += 1) {
    for (const time of ['before', 'after'] as const) {
      const world = await crashed(submission, call, time);
      const job = world.table.allJobs().find(({ priority }) => priority === 9);
      if (job === undefined) continue;
      expect(world.workflows.workflows.has(job.jobId)).toBe(true);
      expect(await world.entriesOf(job.jobId)).toHaveLength(1);
    }
  }
});
