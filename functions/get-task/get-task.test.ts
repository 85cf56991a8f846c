import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { MAX_ESCAPED_WORKFLOW_BYTES, taskSchema } from '../../shared-types/index.ts';
import { createFakeTable } from '../adapters/dynamodb/fake-table.ts';
import { createFakeWorkflowStore } from '../adapters/s3/workflow-store.fake.ts';
import type { Job } from '../core/job.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { parseSubmission } from '../core/submission/parse-submission.ts';
import {
  createSilentLogger,
  JOB_ID,
  makeAssignedJob,
  makeJob,
  START,
  uuidOf,
} from '../core/test-support/fixtures.ts';
import { createGetTaskHandler } from './get-task.ts';

const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":7.0}}}';

const setUp = async (job: Job = makeJob(), workflow = WORKFLOW) => {
  const table = createFakeTable(createFakeClock());
  const workflows = createFakeWorkflowStore();
  await table.jobs.create(job);
  await workflows.put(JOB_ID, workflow);
  const handler = createGetTaskHandler({ ...table, workflows, logger: createSilentLogger() });
  const get = (id: string | undefined, sub = 'user-1') =>
    handler({
      requestContext: { authorizer: { jwt: { claims: { sub } } } },
      ...(id === undefined ? {} : { pathParameters: { id } }),
    } as unknown as APIGatewayProxyEventV2);
  const task = async () => taskSchema.parse(JSON.parse((await get(JOB_ID)).body ?? ''));
  return { table, get, task };
};

describe('the task as the seed has it', () => {
  test('keeps every digit of the payload', async () => {
    const { get } = await setUp();
    const { statusCode, body } = await get(JOB_ID);
    expect(statusCode).toBe(200);
    expect(body).toContain(`"payload":${WORKFLOW}`);
  });

  test('the largest workflow that is accepted fits the 6 MB that Lambda may answer', async () => {
    const quotes = String.raw`\"`.repeat(1_441_000);
    const body = `{"workflow_id":"w","payload":{"1":{"class_type":"A","inputs":{"x":"${quotes}"}}}}`;
    const submission = parseSubmission(body);
    if (submission.kind !== 'ok') throw new Error(submission.message);
    const { get } = await setUp(makeJob(), submission.workflowText);
    const answer = Buffer.byteLength(JSON.stringify(await get(JOB_ID)));
    expect(answer).toBeGreaterThan(MAX_ESCAPED_WORKFLOW_BYTES - 8192);
    expect(answer).toBeLessThan(6_291_556);
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
    expect(await task()).toMatchObject({
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

  test('failed, with its reason in words', async () => {
    const failure = { reason: 'nodeError' as const, message: 'Load Image: no such file' };
    const { task } = await setUp(makeAssignedJob({ status: 'failed', completedAt: START, failure }));
    expect(await task()).toMatchObject({ status: 'failed', error: 'Load Image: no such file' });
  });
});

describe('404 in the very same words', () => {
  test("for another user's task, for one that never was, and for what is no id", async () => {
    const { get } = await setUp();
    const other = await get(JOB_ID, 'user-2');
    expect(other).toMatchObject({ statusCode: 404, body: expect.stringContaining('"error"') });
    for (const id of [uuidOf(404), 'x', '', '__proto__', '../secrets', `${JOB_ID}#`, undefined]) {
      expect(await get(id)).toEqual(other);
    }
  });
});
