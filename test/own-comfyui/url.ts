/** A ComfyUI of the user's own, which the pipeline watches and never started: `COMFYUI_URL`. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { readLogs, troublesIn } from '../support/logs.ts';
import { waitUntil } from '../support/wait.ts';
import { textToImage, type Workflow } from '../support/workflows.ts';
import { ownComfyUi, WAIT_MS } from './stack.ts';

const own = ownComfyUi();
const clientOptions = () => ({
  endpoint: own().pipeline.demo.endpoints.awsEndpointUrl,
  region: own().pipeline.demo.endpoints.awsRegion,
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

const withS3 = async <T>(use: (s3: S3Client, Bucket: string) => Promise<T>): Promise<T> => {
  const s3 = new S3Client(clientOptions());
  try {
    return await use(s3, own().pipeline.demo.endpoints.mediaBucketName);
  } finally {
    s3.destroy();
  }
};

const objectOf = (Key: string): Promise<Buffer> =>
  withS3(async (s3, Bucket) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from(await Body!.transformToByteArray());
  });

const storedKeys = (): Promise<string[]> =>
  withS3(async (s3, Bucket) => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
    return Contents.map(({ Key }) => String(Key)).toSorted();
  });

const tableText = async (): Promise<string> => {
  const client = new DynamoDBClient(clientOptions());
  const { Items } = await client.send(
    new ScanCommand({ TableName: own().pipeline.demo.endpoints.tableName }),
  );
  client.destroy();
  expect(Items?.length).toBeGreaterThan(0);
  return JSON.stringify(Items);
};

/** Queues a prompt past the pipeline, as a person with ComfyUI's own page would. */
const queueDirectly = async (prompt: Workflow, clientId?: string): Promise<string> => {
  const body = JSON.stringify({ prompt, ...(clientId === undefined ? {} : { client_id: clientId }) });
  const reply = await fetch(`${own().comfyUi.url}/prompt`, { method: 'POST', body });
  expect(reply.status).toBe(200);
  return ((await reply.json()) as { prompt_id: string }).prompt_id;
};

describe('a ComfyUI of the user', () => {
  /** What the monitor warned of before the test. */
  let told = 0;
  beforeEach(async () => {
    own().release();
    told = troublesIn((await readLogs(own().pipeline)).monitors).length;
  });

  test('the picture in S3 is the file in its output folder, byte by byte', async () => {
    const task = await own().pipeline.api.finished(
      await own().pipeline.api.submit(textToImage({ seed: 3 })),
      WAIT_MS,
    );
    expect(task).toMatchObject({ status: 'completed', worker_id: 'comfyui-1', retry_count: 0, error: '' });
    const output = task.result!.outputs[0]!;
    const file = await readFile(path.join(own().comfyUi.outputDir, output.filename));
    const served = Buffer.from(await (await fetch(output.src)).arrayBuffer());
    expect(served.equals(file)).toBe(true);
    const object = await objectOf(new URL(output.src).pathname.slice(1));
    expect(object.equals(file)).toBe(true);
    expect(output.size).toBe(file.length);
  });

  test('prompts that others queue are no jobs, and disturb none', async () => {
    const before = await storedKeys();
    own().hold();
    const others = [
      await queueDirectly(textToImage({ seed: 10 }), 'somebody-else'),
      await queueDirectly(textToImage({ seed: 11 })),
    ];
    await waitUntil(() => own().gate.pending > 0, { what: "the other's prompt to run", timeoutMs: WAIT_MS });
    const watcher = await own().pipeline.watch();
    const id = await own().pipeline.api.submit(textToImage({ seed: 12 }));
    watcher.follow(id);
    await waitUntil(() => own().comfyUi.queue().queue_pending.length === 2, {
      what: 'the job behind the others',
      timeoutMs: WAIT_MS,
    });
    others.push(await queueDirectly(textToImage({ seed: 13 })));
    others.push(await queueDirectly(textToImage({ seed: 14 }), 'somebody-else'));
    own().release();

    const task = await own().pipeline.api.finished(id, WAIT_MS);
    expect(task).toMatchObject({ status: 'completed', retry_count: 0, attempt: 1 });
    await waitUntil(() => others.every((prompt) => prompt in own().comfyUi.history()), {
      what: 'their prompts',
      timeoutMs: WAIT_MS,
    });
    const again = await own().pipeline.api.finished(
      await own().pipeline.api.submit(textToImage({ seed: 15 })),
      WAIT_MS,
    );
    expect(again.status).toBe('completed');
    await own().pipeline.demo.aws.idle();

    const percentages = watcher
      .of(id)
      .toSorted((a, b) => a.sequence - b.sequence)
      .flatMap((push) => (push.type === 'job_progress' ? push.overallPercentage : []));
    expect(percentages).toEqual(percentages.toSorted((a, b) => a - b));
    const ours = [task, again].flatMap(({ result }) =>
      result!.outputs.map(({ src }) => new URL(src).pathname),
    );
    expect(await storedKeys()).toEqual([...before, ...ours.map((key) => key.slice(1))].toSorted());
    const { functions, monitors } = await readLogs(own().pipeline);
    for (const lines of [functions, monitors]) {
      expect(lines.filter((line) => line.includes(id))).not.toEqual([]);
      expect(lines.filter((line) => others.some((prompt) => line.includes(prompt)))).toEqual([]);
    }
    expect(troublesIn(functions)).toEqual([]);
    expect(troublesIn(monitors).slice(told)).toEqual([]);
    const table = await tableText();
    expect(others.filter((prompt) => table.includes(prompt))).toEqual([]);
  });

  test('a restart in mid-run costs one retry', async () => {
    own().hold();
    const watcher = await own().pipeline.watch();
    const id = await own().pipeline.api.submit(textToImage({ seed: 20 }));
    watcher.follow(id);
    await waitUntil(() => own().gate.pending > 0, { what: 'the sampler', timeoutMs: WAIT_MS });
    await waitUntil(async () => (await own().pipeline.api.get(id)).status === 'running', {
      what: 'the job to run',
      timeoutMs: WAIT_MS,
    });
    await own().comfyUi.crash();
    own().release();
    await own().comfyUi.restart();

    const retrying = await watcher.until(id, ({ type }) => type === 'job_retrying', WAIT_MS);
    expect(retrying).toMatchObject({ reason: 'comfyRestarted', attempt: 1, nextAttempt: 2 });
    await watcher.until(id, ({ type }) => type === 'job_completed', WAIT_MS);
    const task = await own().pipeline.api.finished(id, WAIT_MS);
    expect(task).toMatchObject({ status: 'completed', retry_count: 1, attempt: 2, error: '' });
    expect(task.result?.outputs).toHaveLength(1);
    await own().pipeline.demo.aws.idle();
    const { functions, monitors } = await readLogs(own().pipeline);
    expect(functions).toContainEqual(expect.stringMatching(/"trigger":"Task Retrying".*"dispatched":1/));
    expect(troublesIn(functions)).toEqual([]);
    expect(troublesIn(monitors).slice(told)).toEqual(['monitor.disconnected', 'monitor.jobFailed']);
    const outcomes = watcher.of(id).filter(({ type }) => ['job_retrying', 'job_completed'].includes(type));
    expect(outcomes.map(({ type }) => type)).toEqual(['job_retrying', 'job_completed']);
  });
});
