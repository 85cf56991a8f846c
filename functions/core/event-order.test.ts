/**
 * The events of an attempt, in every order: the bus promises none, repeats what it likes, and loses what it must.
 * The handlers run as they are deployed, over stores that keep the table's conditions.
 */
import { describe, expect, test } from '@jest/globals';
import type { DetailOf, DetailType, JobPush } from '../../shared-types/index.ts';
import { createFakeComfyUi } from '../adapters/comfyui/comfyui.fake.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../adapters/eventbridge/event-publisher.fake.ts';
import type { LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { createFakeMediaStore } from '../adapters/s3/media-store.fake.ts';
import { createFakePusher } from '../adapters/web-socket/pusher.fake.ts';
import { createJobCompletionHandler } from '../job-completion/job-completion.ts';
import { createJobFailureHandler } from '../job-failure/job-failure.ts';
import { createJobProgressHandler } from '../job-progress/job-progress.ts';
import { createJobStartHandler } from '../job-start/job-start.ts';
import { createFakeClock } from './test-support/fake-clock.ts';
import {
  createSilentLogger,
  JOB_ID,
  makeAssignedJob,
  makeEvent,
  makeRegistration,
  PROMPT_ID,
  uuidOf,
  WORKER_ID,
  type Envelope,
} from './test-support/fixtures.ts';

const PICTURE = {
  nodeId: '9',
  outputKey: 'images',
  index: 0,
  filename: 'a.png',
  subfolder: '',
  type: 'output',
};

const start = async () => {
  const clock = createFakeClock();
  const table = createFakeTable(clock);
  const comfyUi = createFakeComfyUi();
  const media = createFakeMediaStore();
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  const dependencies = {
    ...table,
    clock,
    comfyUi,
    media,
    publisher,
    pusher,
    logger,
    random: () => 0,
    storeTempOutputs: false,
  };
  await table.workers.register(makeRegistration());
  await table.jobs.create(makeAssignedJob({ connections: ['connection-1'] }));
  comfyUi.putFile(PICTURE, 'picture');
  comfyUi.finish(PROMPT_ID, { outputs: { '9': { images: [PICTURE] } } });
  const completion = createJobCompletionHandler(dependencies);
  const failure = createJobFailureHandler(dependencies);
  const progress = createJobProgressHandler(dependencies);
  const handlers: Partial<Record<DetailType, LambdaHandler>> = {
    'Job Started': createJobStartHandler(dependencies),
    'Node Progress Update': progress,
    'Node Executing': progress,
    'Node Executed': progress,
    'Images Generated': completion,
    'Job Completed': completion,
    'Task Finished Unheard': completion,
    'Job Failed': failure,
    'Job Cancelled': failure,
  };
  const deliver = async (event: Envelope): Promise<void> => {
    await handlers[event['detail-type'] as DetailType]?.(event);
  };
  const job = async () => (await table.jobs.get(JOB_ID))!;
  const pushes = (): JobPush[] => pusher.sent.map(({ message }) => message as JobPush);
  return { ...dependencies, table, deliver, job, pushes };
};
type World = Awaited<ReturnType<typeof start>>;

let events = 0;
/** An event of the attempt with an id of its own. */
const event = <T extends DetailType>(detailType: T, detail: Partial<DetailOf<T>>): Envelope => {
  events += 1;
  return makeEvent(detailType, { eventId: uuidOf(events), ...detail });
};

const started = event('Job Started', { sequence: 1 });
const progressed = (sequence: number, overallPercentage: number): Envelope =>
  event('Node Progress Update', { sequence, overallPercentage });
const executing = event('Node Executing', { sequence: 3 });
const images = event('Images Generated', { sequence: 4, images: [PICTURE] });
const completed = event('Job Completed', { sequence: 9, durationMs: 5000 });
/** What the sweep read in the history of a worker whose monitor it took for silent. */
const unheard = event('Task Finished Unheard', {
  jobId: JOB_ID,
  promptId: PROMPT_ID,
  workerId: WORKER_ID,
  durationMs: 5000,
});
const failed = (reason: DetailOf<'Job Failed'>['reason']): Envelope =>
  event('Job Failed', { sequence: 9, reason, message: 'it broke' });

const permutations = <T>(items: readonly T[]): T[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) =>
        // Equal items are interchangeable: only the first of them leads.
        items.indexOf(item) < index
          ? []
          : permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
      );

/** Each item none, one, or two times. */
const multisets = <T>(items: readonly T[]): T[][] =>
  items.reduce<T[][]>(
    (sets, item) => sets.flatMap((set) => [set, [...set, item], [...set, item, item]]),
    [[]],
  );

/** `job_nodes` adds to a state, bears the sequence of that state, and may come after the end. */
const isState = ({ type }: JobPush): boolean => type !== 'job_nodes';

/** A push that is repeated says the same; any other is newer. No percentage falls within the attempt. */
const expectOrderly = (pushes: readonly JobPush[]): void => {
  let percentage = 0;
  const states = pushes.filter(isState);
  for (const [index, push] of states.entries()) {
    const before = states.slice(0, index).findLast(({ sequence }) => sequence >= push.sequence);
    if (before !== undefined) expect(push).toEqual(before);
    if (push.type === 'job_progress') {
      expect(push.overallPercentage).toBeGreaterThanOrEqual(percentage);
      percentage = push.overallPercentage;
    }
  }
};

const typesOf = ({ publisher }: World): string[] => [
  ...new Set(publisher.events.map(({ detailType, detail }) => `${detailType} ${detail.eventId}`)),
];

const expectCompleted = async (world: World): Promise<void> => {
  const job = await world.job();
  expect(job).toMatchObject({
    status: 'completed',
    attempt: 1,
    workerId: WORKER_ID,
    outputCount: 1,
    durationMs: 5000,
    storingSince: null,
    startedAt: expect.any(String),
    failure: null,
  });
  const { outputs, missingOutputs } = await world.table.outputs.get(JOB_ID, 1);
  expect(outputs).toMatchObject([{ nodeId: '9', mimeType: 'text/plain; charset=utf-8', size: 7 }]);
  expect(missingOutputs).toEqual([]);
  expect([...world.media.objects.keys()]).toEqual([
    expect.stringMatching(/^user-1\/session-1\/[0-9a-f-]{36}\.png$/),
  ]);
  expect(world.media.writes).toHaveLength(1);
  expect(typesOf(world)).toEqual([expect.stringMatching(/^Task Completed /)]);
  expect(world.pushes().findLast(isState)?.type).toBe('job_completed');
  expectOrderly(world.pushes());
};

describe('an attempt that succeeds', () => {
  test('ends the same in every order of its events', async () => {
    const [early, late] = [progressed(2, 10), progressed(5, 60)];
    // All six at once are three times as many orders, and no two of them meet that do not meet here.
    const sets = [
      [started, early, images, late, completed],
      [started, early, executing, images, completed],
      [early, executing, late, completed],
    ];
    for (const order of sets.flatMap(permutations)) {
      const world = await start();
      for (const each of order) await world.deliver(each);
      await expectCompleted(world);
    }
  });

  test('ends the same when events are lost or repeated, in every order, as long as its end arrives', async () => {
    for (const set of multisets([started, images, completed]).filter((some) => some.includes(completed))) {
      for (const order of permutations(set)) {
        const world = await start();
        for (const each of order) await world.deliver(each);
        await expectCompleted(world);
      }
    }
  });

  test('ends the same when everything arrives twice and at once', async () => {
    const [early, late] = [progressed(2, 10), progressed(5, 60)];
    const sets = [
      [started, early, images, completed],
      [started, early, late, completed],
      [early, images, late, completed],
    ];
    for (const order of sets.flatMap(permutations)) {
      const world = await start();
      await Promise.all([...order, ...order].map(world.deliver));
      expect((await world.job()).status).toBe('completed');
      expect([...world.media.objects.keys()]).toHaveLength(1);
      expect(typesOf(world)).toHaveLength(1);
    }
  });
});

describe('an attempt that succeeds unheard', () => {
  test('ends the same without a word of its monitor', async () => {
    const world = await start();
    await world.deliver(unheard);
    await expectCompleted(world);
    expect(world.pushes().filter(({ type }) => type === 'job_completed')).toHaveLength(1);
  });

  test('ends the same, once, when its monitor comes back and tells all, in every order', async () => {
    const late = [started, images, progressed(5, 60), completed, unheard];
    for (const order of permutations(late)) {
      const world = await start();
      for (const each of order) await world.deliver(each);
      await expectCompleted(world);
    }
  });

  test('ends the same when events are lost or repeated, in every order, as long as one end arrives', async () => {
    const sets = multisets([started, completed, unheard]).filter((some) => some.includes(unheard));
    for (const order of sets.flatMap(permutations)) {
      const world = await start();
      for (const each of order) await world.deliver(each);
      await expectCompleted(world);
      expect(world.pushes().filter(({ type }) => type === 'job_completed').length).toBeLessThanOrEqual(
        order.filter((each) => each === completed || each === unheard).length,
      );
    }
  });

  test('ends once when both ends arrive at once, twice', async () => {
    for (const order of permutations([started, completed, unheard])) {
      const world = await start();
      await Promise.all([...order, ...order].map(world.deliver));
      expect((await world.job()).status).toBe('completed');
      expect([...world.media.objects.keys()]).toHaveLength(1);
      expect(typesOf(world)).toHaveLength(1);
    }
  });

  test('keeps what the monitor says of its storing: the later of two ends does not begin anew', async () => {
    for (const [first, second] of [
      [unheard, completed],
      [completed, unheard],
    ] as const) {
      const world = await start();
      world.comfyUi.setReachable(false);
      await expect(world.deliver(first)).rejects.toMatchObject({ code: 'worker.unreachable' });
      const claimed = await world.job();
      expect(claimed).toMatchObject({ status: 'running', storingSince: expect.any(String) });
      await world.deliver(second);
      expect(await world.job()).toEqual(claimed);
      world.comfyUi.setReachable(true);
      await world.deliver(first);
      await expectCompleted(world);
    }
  });

  test('and cannot be stored any more is retried as any attempt whose worker is gone', async () => {
    const world = await start();
    world.comfyUi.setReachable(false);
    await expect(world.deliver(unheard)).rejects.toMatchObject({ code: 'worker.unreachable' });
    world.clock.advance(120_000);
    await world.deliver(unheard);
    expect(await world.job()).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
    expect(await world.table.allQueue()).toHaveLength(1);
    const before = await world.job();
    await world.deliver(completed);
    await world.deliver(unheard);
    expect(await world.job()).toEqual(before);
  });
});

describe('an attempt that fails', () => {
  test('for good ends the same when events are lost or repeated, in every order', async () => {
    const end = failed('nodeError');
    for (const set of multisets([started, progressed(2, 10), end]).filter((some) => some.includes(end))) {
      for (const order of permutations(set)) {
        const world = await start();
        for (const each of order) await world.deliver(each);
        expect(await world.job()).toMatchObject({
          status: 'failed',
          attempt: 1,
          failure: { reason: 'nodeError' },
        });
        expect(await world.table.allQueue()).toEqual([]);
        expect(typesOf(world)).toEqual([expect.stringMatching(/^Task Failed /)]);
        expect(world.pushes().findLast(isState)?.type).toBe('job_failed');
        expectOrderly(world.pushes());
      }
    }
  });

  test('for a passing reason waits again under exactly one entry of the queue, whatever is repeated', async () => {
    const end = failed('vanished');
    for (const set of multisets([started, progressed(2, 10), end]).filter((some) => some.includes(end))) {
      for (const order of permutations(set)) {
        const world = await start();
        for (const each of order) await world.deliver(each);
        const job = await world.job();
        expect(job).toMatchObject({
          status: 'pending',
          attempt: 1,
          retryCount: 1,
          workerId: null,
          promptId: null,
        });
        const queue = await world.table.allQueue();
        expect(queue).toMatchObject([{ jobId: JOB_ID, queuedAt: job.queuedAt }]);
        expect(Date.parse(queue[0]!.notBefore!)).toBeGreaterThan(Date.parse(job.queuedAt));
        expect(typesOf(world)).toEqual([expect.stringMatching(/^Task Retrying /)]);
        expectOrderly(world.pushes());
      }
    }
  });

  test('because the user asked is cancelled, not failed and not retried', async () => {
    for (const end of [failed('vanished'), event('Job Cancelled', { sequence: 9 })]) {
      const world = await start();
      await world.table.jobs.update({
        guard: { jobId: JOB_ID, statuses: ['assigned'] },
        patch: { cancelRequestedAt: world.clock.iso() },
      });
      for (const each of [end, started, end]) await world.deliver(each);
      expect((await world.job()).status).toBe('cancelled');
      expect(await world.table.allQueue()).toEqual([]);
      expect(typesOf(world)).toEqual([expect.stringMatching(/^Task Cancelled /)]);
    }
  });

  test('is retried no more often than it may be, out of memory but once', async () => {
    for (const [reason, retryCount, status] of [
      ['vanished', 2, 'pending'],
      ['vanished', 3, 'failed'],
      ['outOfMemory', 0, 'pending'],
      ['outOfMemory', 1, 'failed'],
      ['badWorkflow', 0, 'failed'],
    ] as const) {
      const world = await start();
      await world.table.jobs.update({
        guard: { jobId: JOB_ID, statuses: ['assigned'] },
        patch: { retryCount },
      });
      await world.deliver(failed(reason));
      expect((await world.job()).status).toBe(status);
    }
  });
});

describe('events that are not of the attempt change nothing', () => {
  const foreign = { workerId: 'pod-2' };
  const ofAll = (detail: Record<string, unknown>): Envelope[] => [
    event('Job Started', { sequence: 1, ...detail }),
    event('Node Progress Update', { sequence: 2, ...detail }),
    event('Node Executing', { sequence: 3, ...detail }),
    event('Images Generated', { sequence: 4, images: [PICTURE], ...detail }),
    event('Job Completed', { sequence: 5, ...detail }),
    event('Job Failed', { sequence: 6, ...detail }),
    event('Job Cancelled', { sequence: 7, ...detail }),
  ];

  test.each<[string, Envelope[]]>([
    ['of another worker under its own name', ofAll(foreign)],
    [
      'of another worker under the name of this one',
      ofAll({}).map((each) => ({ ...each, source: 'comfyui.monitor.pod-2' })),
    ],
    [
      'of another worker that claims to be the control plane',
      ofAll({}).map((each) => ({ ...each, source: 'comfyui.pipeline' })),
    ],
    ['of an attempt that has not begun', ofAll({ attempt: 2 })],
    ['of another prompt', ofAll({ promptId: 'another' })],
    ['of a job that does not exist', ofAll({ jobId: 'another' })],
  ])('%s', async (_what, strangers) => {
    const world = await start();
    const before = await world.job();
    for (const each of strangers) await world.deliver(each);
    expect(await world.job()).toEqual(before);
    expect(world.publisher.events).toEqual([]);
    expect(world.pushes()).toEqual([]);
    expect(world.media.writes).toEqual([]);
    expect(await world.table.allQueue()).toEqual([]);
  });

  test('of an attempt that was given up, after the next one began', async () => {
    const world = await start();
    await world.deliver(failed('vanished'));
    const second = makeAssignedJob({ attempt: 2, promptId: uuidOf(77), retryCount: 1 });
    await world.table.jobs.update({
      guard: { jobId: JOB_ID, statuses: ['pending'] },
      patch: {
        status: 'assigned',
        attempt: 2,
        promptId: second.promptId,
        workerId: WORKER_ID,
        eventSequence: 0,
      },
    });
    const before = await world.job();
    const pushed = world.pushes().length;
    for (const each of ofAll({})) await world.deliver(each);
    expect(await world.job()).toEqual(before);
    expect(world.pushes()).toHaveLength(pushed);
  });

  test('after the end, whatever they say and however high they count', async () => {
    const world = await start();
    await world.deliver(completed);
    const before = await world.job();
    for (const each of ofAll({ sequence: 500 })) await world.deliver(each);
    for (const each of ofAll({ sequence: Number.MAX_SAFE_INTEGER })) await world.deliver(each);
    expect(await world.job()).toEqual(before);
    expect(typesOf(world)).toHaveLength(1);
  });

  test('and a sequence that ran ahead does not keep the attempt from ending', async () => {
    for (const end of [completed, failed('nodeError')]) {
      const world = await start();
      await world.deliver(progressed(Number.MAX_SAFE_INTEGER, 30));
      await world.deliver(progressed(900_000_000, 40));
      await world.deliver(end);
      expect(['completed', 'failed']).toContain((await world.job()).status);
    }
  });
});
