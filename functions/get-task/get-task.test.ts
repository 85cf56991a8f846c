import { describe, expect, test } from '@jest/globals';
import { MAX_ESCAPED_WORKFLOW_BYTES, taskSchema, timelineSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import { storedOutput } from '../adapters/test-support/stored-output.ts';
import type { Job } from '../core/job.ts';
import { entryOf } from '../core/queue-entry.ts';
import { JOB_ID, makeAssignedJob, makeJob, PROMPT_ID, START, uuidOf } from '../core/test-support/fixtures.ts';
import { createGetTaskHandler } from './get-task.ts';

const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":7.0}}}';

const setUp = async (job: Job = makeJob(), workflow = WORKFLOW) => {
  const world = createApiWorld();
  await world.table.jobs.create(job);
  await world.workflows.put(JOB_ID, workflow);
  const call = createCaller(createGetTaskHandler(world.ports));
  const get = (id: string | undefined, userId = 'user-1') =>
    call('getTask', { userId, ...(id === undefined ? {} : { pathParameters: { id } }) });
  const task = async () => taskSchema.parse((await get(JOB_ID)).json);
  const timeline = (id = JOB_ID, userId = 'user-1') =>
    call('getTimeline', { userId, pathParameters: { id } });
  return { ...world, get, task, timeline };
};

describe('the task as the seed has it', () => {
  test('keeps every digit of the payload', async () => {
    const { get } = await setUp();
    const { status, text } = await get(JOB_ID);
    expect(status).toBe(200);
    expect(text).toContain(`"payload":${WORKFLOW}`);
  });

  test('is found whatever the case of its id', async () => {
    const { get } = await setUp();
    expect((await get(JOB_ID.toUpperCase())).status).toBe(200);
  });

  test('before the first dispatch', async () => {
    const { task } = await setUp();
    expect(await task()).toMatchObject({
      id: JOB_ID,
      workflow_id: 'text_to_image_v1',
      priority: 5,
      status: 'pending',
      worker_id: '',
      created_at: START,
      started_at: null,
      completed_at: null,
      result: null,
      error: '',
      retry_count: 0,
      max_retries: 3,
      progress: 0,
      attempts: [],
      retry_of: null,
      cancel_requested: false,
      tags: [],
      callback_url: null,
    });
  });

  test('completed, with its outputs', async () => {
    const { table, task } = await setUp(makeAssignedJob({ status: 'completed', completedAt: START }));
    const output = {
      outputId: uuidOf(9),
      nodeId: '9',
      outputKey: 'images',
      index: 0,
      kind: 'image' as const,
      src: 'https://media.example/9.png',
      mimeType: 'image/png',
      size: 3,
      filename: 'a.png',
    };
    const missing = { nodeId: '10', outputKey: 'gifs', index: 1, filename: 'b.gif', error: 'HTTP 404' };
    await table.outputs.put(JOB_ID, 1, { outputs: [output], missingOutputs: [missing] });
    const shown = await task();
    expect(shown.outputs).toEqual(shown.result?.outputs);
    expect(shown).toMatchObject({
      status: 'completed',
      worker_id: 'pod-1',
      progress: 100,
      result: {
        src: output.src,
        mime_type: 'image/png',
        outputs: [{ output_id: output.outputId, node_id: '9', output_key: 'images', size: 3 }],
        missing_outputs: [
          { node_id: '10', output_key: 'gifs', index: 1, filename: 'b.gif', error: 'HTTP 404' },
        ],
      },
    });
  });

  test('completed without any output', async () => {
    const { task } = await setUp(makeAssignedJob({ status: 'completed', completedAt: START }));
    expect((await task()).result).toEqual({ src: null, mime_type: null, outputs: [], missing_outputs: [] });
  });

  test.each(['running', 'failed'] as const)(
    '%s, with the outputs stored so far, each once',
    async (status) => {
      const earlyOutputs = [storedOutput(0), storedOutput(1), storedOutput(0)];
      const { task } = await setUp(makeAssignedJob({ status, earlyOutputs }));
      const { result, outputs } = await task();
      expect(outputs).toMatchObject([
        { output_id: storedOutput(0).outputId, node_id: '9', output_key: 'images', src: storedOutput(0).src },
        { output_id: storedOutput(1).outputId, index: 1 },
      ]);
      expect(result?.outputs).toEqual(status === 'failed' ? outputs : undefined);
    },
  );

  test('with very many outputs has them once, and says so', async () => {
    const { table, get } = await setUp(makeAssignedJob({ status: 'completed', completedAt: START }));
    const outputs = Array.from({ length: 8000 }, (_, index) =>
      storedOutput(index, { src: `https://media.example/${'x'.repeat(150)}` }),
    );
    await table.outputs.put(JOB_ID, 1, { outputs, missingOutputs: [] });
    const { json, text } = await get(JOB_ID);
    expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThan(MAX_ESCAPED_WORKFLOW_BYTES);
    const shown = taskSchema.parse(json);
    expect(shown.result?.outputs).toHaveLength(8000);
    expect(shown).toMatchObject({ outputs: [], outputs_truncated: true });
  });

  test('failed, with its reason in words', async () => {
    const failure = { reason: 'nodeError' as const, message: 'Load Image: no such file' };
    const { task } = await setUp(makeAssignedJob({ status: 'failed', completedAt: START, failure }));
    expect(await task()).toMatchObject({ status: 'failed', error: 'Load Image: no such file' });
  });

  test('whose workflow is not kept any more has none', async () => {
    const { workflows, task } = await setUp();
    workflows.workflows.clear();
    expect((await task()).payload).toBeNull();
  });
});

describe('a workflow too large for an answer', () => {
  const filled = (bytes: number): string => `{"1":{"class_type":"A","inputs":{"x":"${'x'.repeat(bytes)}"}}}`;

  test('is given by its URL', async () => {
    const { get } = await setUp(makeJob(), filled(MAX_ESCAPED_WORKFLOW_BYTES));
    const { json, text } = await get(JOB_ID);
    expect(json).toMatchObject({ payload: null, payload_url: expect.stringMatching(/^https:/) });
    expect(taskSchema.parse(json)).toEqual(json);
    expect(text.length).toBeLessThan(8192);
  });

  test.each([
    ['plain', filled(MAX_ESCAPED_WORKFLOW_BYTES - 4096)],
    ['full of quotes', filled(0).replace('""', `"${String.raw`\"`.repeat(1_400_000)}"`)],
  ])('is given whole while Lambda may answer it: %s', async (_what, workflow) => {
    const { get } = await setUp(makeJob(), workflow);
    const { text } = await get(JOB_ID);
    expect(text.endsWith(`"payload":${workflow}}`)).toBe(true);
    expect(Buffer.byteLength(JSON.stringify({ statusCode: 200, body: text }))).toBeLessThan(6_291_556);
  });
});

describe('attempts', () => {
  const ended = {
    attempt: 1,
    workerId: 'pod-0',
    promptId: PROMPT_ID,
    assignedAt: START,
    startedAt: null,
    endedAt: START,
    outcome: 'failed' as const,
    failure: { reason: 'workerLost' as const, message: 'the worker is lost', nodeId: '3' },
  };

  test('are the ended ones, and the one that runs', async () => {
    const { task } = await setUp(makeAssignedJob({ status: 'running', attempt: 2, attempts: [ended] }));
    expect((await task()).attempts).toEqual([
      {
        attempt: 1,
        status: 'failed',
        worker_id: 'pod-0',
        prompt_id: PROMPT_ID,
        assigned_at: START,
        started_at: null,
        ended_at: START,
        error: 'the worker is lost',
        reason: 'workerLost',
        node_id: '3',
      },
      expect.objectContaining({
        attempt: 2,
        status: 'running',
        worker_id: 'pod-1',
        ended_at: null,
        reason: null,
      }),
    ]);
  });

  test('name the last one once', async () => {
    const failure = ended.failure;
    const job = { status: 'failed', completedAt: START, failure } as const;
    const listed = await setUp(makeAssignedJob({ ...job, attempts: [ended] }));
    expect((await listed.task()).attempts).toHaveLength(1);
    const unlisted = await setUp(makeAssignedJob(job));
    expect((await unlisted.task()).attempts).toMatchObject([
      { attempt: 1, status: 'failed', reason: 'workerLost', ended_at: START },
    ]);
  });
});

describe('what is before it', () => {
  test('is its place in the queue', async () => {
    const { table, task } = await setUp();
    await table.queue.put(entryOf(makeJob({ jobId: uuidOf(1), priority: 9 })));
    await table.queue.put(entryOf(makeJob()));
    expect(await task()).toMatchObject({ queue_position: 2, eta_seconds: null });
  });

  test('says why nothing takes the task, and nothing once a worker has it', async () => {
    const job = makeJob({ needs: { classes: [], models: [], tags: ['gpu:h100'] } });
    const { table, addWorker, task } = await setUp(job);
    await table.queue.put(entryOf(job));
    await addWorker('pod-1', undefined, ['gpu:l4']);
    expect((await task()).waiting_for).toBe('no worker has the tags gpu:h100');
    const running = await setUp(makeAssignedJob({ status: 'running' }));
    expect((await running.task()).waiting_for).toBeNull();
  });

  test.each([
    ['shares', 'list'],
    ['workers', 'list'],
    ['queue', 'list'],
  ] as const)('is unknown while %s.%s fails, and the task is shown', async (port, method) => {
    const { table, logger, task } = await setUp();
    table.fail(port, method, 1);
    expect(await task()).toMatchObject({
      id: JOB_ID,
      queue_position: null,
      eta_seconds: null,
      waiting_for: null,
    });
    expect(logger.lines).toMatchObject([{ level: 'warn', code: 'task.no-outlook' }]);
  });
});

describe('the timeline', () => {
  const transition = { nodeId: '3', nodeName: 'K-Sampler', nodeType: 'KSampler', at: START };

  test('tells what happened, oldest first', async () => {
    const { table, timeline } = await setUp(makeAssignedJob({ status: 'completed', completedAt: START }));
    await table.timeline.append(JOB_ID, 1, 1, [{ ...transition, state: 'executing' }]);
    const { status, json } = await timeline();
    expect(status).toBe(200);
    const { entries, truncated } = timelineSchema.parse(json);
    expect(entries.map(({ what }) => what)).toEqual(['submitted', 'assigned', 'node_executing', 'completed']);
    expect(truncated).toBe(false);
  });

  test('of a task with very many nodes of very long names fits into an answer, and says so', async () => {
    const { table, timeline } = await setUp(makeAssignedJob());
    const long = {
      ...transition,
      nodeName: '"'.repeat(256),
      nodeType: 'x'.repeat(256),
      state: 'executed',
    } as const;
    for (let n = 0; n < 100; n += 1)
      await table.timeline.append(
        JOB_ID,
        1,
        n,
        Array.from({ length: 100 }, () => long),
      );
    const { json, text } = await timeline();
    expect(Buffer.byteLength(JSON.stringify(text))).toBeLessThan(6_000_000);
    const { entries, truncated } = timelineSchema.parse(json);
    expect(entries.length).toBeGreaterThan(1000);
    expect(truncated).toBe(true);
  });

  test("of another user's task is 404, in the words for one that never was and for what is no id", async () => {
    const { timeline } = await setUp();
    const other = await timeline(JOB_ID, 'user-2');
    expect(other.status).toBe(404);
    for (const id of [uuidOf(404), 'x', '', '__proto__']) expect(await timeline(id)).toEqual(other);
  });
});

describe('404 in the very same words', () => {
  test("for another user's task, for one that never was, and for what is no id", async () => {
    const { get } = await setUp();
    const other = await get(JOB_ID, 'user-2');
    expect(other).toMatchObject({ status: 404, text: expect.stringContaining('"error"') });
    for (const id of [uuidOf(404), 'x', '', '__proto__', '../secrets', `${JOB_ID}#`, undefined]) {
      expect(await get(id)).toEqual(other);
    }
  });
});
