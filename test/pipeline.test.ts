/** The path a user takes: task API → queue → pod → monitor → bus → functions → table, bucket, socket. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { JobPush } from '../shared-types/index.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { podControl } from './support/pods.ts';
import { waitUntil } from './support/wait.ts';
import { missingPicture, seedTaskText, textToImage } from './support/workflows.ts';

let pipeline: Pipeline;

beforeAll(async () => {
  pipeline = await startPipeline();
}, 90_000);
afterAll(() => pipeline.stop(), 30_000);

/** What a client keeps, by the contract's rule: pushes of one job travel side by side, and an older one is dropped. */
const kept = (pushes: readonly JobPush[]): JobPush[] => {
  const taken: JobPush[] = [];
  for (const push of pushes) if (push.sequence > (taken.at(-1)?.sequence ?? -1)) taken.push(push);
  return taken;
};
const percentages = (pushes: readonly JobPush[]): number[] =>
  pushes.flatMap((push) => (push.type === 'job_progress' ? [push.overallPercentage] : []));
const neverFalls = (numbers: readonly number[]): void => {
  expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
};

test("seed 001's own request ends in the picture's exact bytes, watched live", async () => {
  const watcher = await pipeline.watch();
  // In mid-run it waits for whoever watches.
  const pod = podControl(pipeline.demo.pods[0]!.url);
  await pod.hold(5);
  const { status, body } = await pipeline.api.post(seedTaskText);
  expect(status).toBe(201);
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    workflow_id: 'text_to_image_v1',
    status: 'pending',
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  const id = String(body['id']);
  watcher.follow(id);
  await watcher.until(id, ({ type }) => type === 'job_snapshot');
  const sampling = /^Generating image using K-Sampler: \d+\/20 steps \(\d+%\)$/;
  await pod.hold(10);
  await watcher.until(id, (push) => push.type === 'job_progress' && sampling.test(push.message));
  await pod.release();
  await watcher.until(id, ({ type }) => type === 'job_completed');
  await pipeline.demo.aws.idle();
  const pushes = watcher.of(id);
  expect(pushes[0]?.type).toBe('job_snapshot');
  expect(pushes.map(({ type }) => type)).toContain('job_started');
  expect(pushes.filter(({ type }) => type === 'job_completed')).toHaveLength(1);
  expect(kept(pushes).at(-1)?.type).toBe('job_completed');
  const seen = percentages(kept(pushes));
  expect(new Set(seen).size).toBeGreaterThan(1);
  neverFalls(seen);

  const task = await pipeline.api.get(id);
  expect(task).toMatchObject({
    status: 'completed',
    worker_id: 'pod-1',
    progress: 100,
    error: '',
    retry_count: 0,
  });
  const output = task.result?.outputs[0];
  expect(output).toMatchObject({ node_id: '9', mime_type: 'image/png', kind: 'image' });
  expect(new URL(output!.src).pathname).toMatch(/^\/local\/default\/[0-9a-f-]{36}\.png$/);
  const response = await fetch(output!.src);
  expect(response.headers.get('content-type')).toBe('image/png');
  const served = Buffer.from(await response.arrayBuffer());
  const file = path.join(pipeline.demo.pods[0]!.outputDir, output!.filename);
  expect(served.equals(await readFile(file))).toBe(true);
  expect(output!.size).toBe(served.length);
});

test('a seed of 64 bits reaches ComfyUI and comes back digit by digit', async () => {
  const payload = JSON.stringify(textToImage({ steps: 1 })).replace(
    '"seed":1',
    '"seed":18446744073709551615',
  );
  const { body } = await pipeline.api.post(`{"workflow_id":"big","priority":5,"payload":${payload}}`);
  const id = String(body['id']);
  const task = await pipeline.api.finished(id);
  expect(await pipeline.api.getText(id)).toContain('"seed":18446744073709551615');
  const history = await (await fetch(`${pipeline.demo.pods[0]!.url}/history/${task.prompt_id}`)).text();
  expect(history).toMatch(/"seed": ?18446744073709551615/);
});

test('a fully cached run still yields its picture, under a key of its own', async () => {
  const workflow = textToImage({ seed: 77 });
  const first = await pipeline.api.finished(await pipeline.api.submit(workflow));
  const second = await pipeline.api.finished(await pipeline.api.submit(workflow));
  expect(second.status).toBe('completed');
  const [a, b] = [first.result?.outputs[0], second.result?.outputs[0]];
  expect(b?.filename).toBe(a?.filename);
  expect(b?.src).not.toBe(a?.src);
  const bytes = await Promise.all(
    [a!, b!].map(async ({ src }) => Buffer.from(await (await fetch(src)).arrayBuffer())),
  );
  expect(bytes[0]!.equals(bytes[1]!)).toBe(true);
});

test('pictures, an animation, a video and a text of one job are all stored, each with its type', async () => {
  const image = ['1', 0];
  const id = await pipeline.api.submit({
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 2, color: 310132 } },
    '2': {
      class_type: 'SaveAnimatedWEBP',
      inputs: {
        images: image,
        filename_prefix: 'anim',
        fps: 6.0,
        lossless: true,
        quality: 80,
        method: 'default',
      },
    },
    '3': { class_type: 'SaveImage', inputs: { images: image, filename_prefix: 'a/b/flat' } },
    '4': { class_type: 'CreateVideo', inputs: { images: image, fps: 8.0 } },
    '5': {
      class_type: 'SaveVideo',
      inputs: { video: ['4', 0], filename_prefix: 'video/clip', format: 'mp4', codec: 'h264' },
    },
    '7': { class_type: 'PreviewAny', inputs: { source: 'héllo <b>world</b>' } },
    '8': { class_type: 'PreviewImage', inputs: { images: image } },
  });
  const task = await pipeline.api.finished(id);
  expect(task.status).toBe('completed');
  const outputs = task.result!.outputs;
  const types = outputs.map(({ node_id, mime_type }) => `${node_id} ${mime_type}`).sort();
  expect(types).toEqual([
    '2 image/webp',
    '3 image/png',
    '3 image/png',
    '5 video/mp4',
    '7 text/plain; charset=utf-8',
  ]);
  expect(new Set(outputs.map(({ output_id }) => output_id)).size).toBe(outputs.length);
  const text = outputs.find(({ node_id }) => node_id === '7');
  expect(await (await fetch(text!.src)).text()).toBe('héllo <b>world</b>');
});

test('a model that no pod has is refused before a GPU is paid for, node by node', async () => {
  const workflow = textToImage();
  workflow['4']!.inputs['ckpt_name'] = 'missing.safetensors';
  const { status, body } = await pipeline.api.post(
    JSON.stringify({ workflow_id: 'test', payload: workflow }),
  );
  expect(status).toBe(400);
  expect(body['error']).toMatch(/ckpt_name.*missing\.safetensors/);
  expect(body['error']).not.toContain('\n');
  expect(body['node_errors']).toEqual({
    '4': {
      class_type: 'CheckpointLoaderSimple',
      errors: [expect.objectContaining({ type: 'value_not_in_list', input: 'ckpt_name' })],
    },
  });
});

test('a workflow that only ComfyUI can refuse fails with its reason and spends no retry', async () => {
  const watcher = await pipeline.watch();
  const id = await pipeline.api.submit(missingPicture());
  watcher.follow(id);
  const task = await pipeline.api.finished(id);
  expect(task).toMatchObject({ status: 'failed', retry_count: 0 });
  expect(task.error).toMatch(/image.*nowhere\.png/);
  expect(task.error).not.toContain('\n');
  const told = (push: JobPush): boolean =>
    push.type === 'job_failed' || (push.type === 'job_snapshot' && push.status === 'failed');
  await watcher.until(id, told);
});

test('a node that fails names itself, and the worker takes the next job', async () => {
  await fetch(`${pipeline.demo.pods[0]!.url}/demo/fail-next`, {
    method: 'POST',
    body: JSON.stringify({ kind: 'execution_error' }),
  });
  const failed = await pipeline.api.finished(await pipeline.api.submit(textToImage({ seed: 5 })));
  expect(failed).toMatchObject({ status: 'failed', retry_count: 0 });
  expect(failed.error).not.toBe('');
  const next = await pipeline.api.finished(await pipeline.api.submit(textToImage({ seed: 6 })));
  expect(next.status).toBe('completed');
});

test('a late subscriber gets the whole outcome in its first message', async () => {
  const id = await pipeline.api.submit(textToImage({ seed: 8, steps: 1 }));
  await pipeline.api.finished(id);
  const watcher = await pipeline.watch();
  watcher.follow(id);
  const snapshot = await watcher.until(id, ({ type }) => type === 'job_snapshot');
  expect(snapshot).toMatchObject({ status: 'completed', outputs: [{ mimeType: 'image/png' }] });
});

describe('bad requests', () => {
  test.each([
    ['', 400, /empty/],
    ['{', 400, /JSON/],
    ['[]', 400, /object/],
    ['{"workflow_id":"a","priority":99,"payload":{}}', 400, /priority/],
    ['{"workflow_id":"a","payload":{"nodes":[],"links":[]}}', 400, /UI-format/],
  ])('%j is answered %i with one line', async (text, status, message) => {
    const reply = await pipeline.api.post(text);
    expect(reply.status).toBe(status);
    expect(reply.body).toEqual({ error: expect.stringMatching(message) });
  });

  test.each(['x', '0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10', '..%2f..', '%00', '__proto__'])(
    'task %j is not found',
    async (id) => {
      const response = await fetch(`${pipeline.demo.endpoints.apiUrl}/api/v1/tasks/${id}`);
      expect(response.status).toBe(404);
    },
  );

  test('what is no subscription is answered with an error, and the socket stays open', async () => {
    const watcher = await pipeline.watch();
    const unknownJob = '0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10';
    const bad = [
      'hello',
      '{}',
      '{"action":"subscribe"}',
      '{"action":"subscribe","jobId":"*"}',
      '{"action":"subscribe","jobId":["a"]}',
      '{"action":"nothing"}',
      '{"__proto__":{"x":1},"action":"subscribe"}',
      `{"action":"subscribe","jobId":"${unknownJob}"}`,
    ];
    for (const text of bad) watcher.send(text);
    await waitUntil(() => watcher.messages.length >= bad.length, { what: 'an answer to each' });
    const codes = watcher.messages.map((message) => (message.type === 'error' ? message.code : message.type));
    expect(codes.filter((code) => code === 'notFound')).toHaveLength(1);
    expect(codes.filter((code) => code === 'badRequest')).toHaveLength(bad.length - 1);
    expect(watcher.closed()).toBe(false);
  });
});

test('the media bucket holds nothing that is no output of a job', async () => {
  const { awsEndpointUrl: endpoint, awsRegion: region, mediaBucketName: Bucket } = pipeline.demo.endpoints;
  const s3 = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  for (const { Key } of Contents) expect(Key).toMatch(/^local\/default\/[0-9a-f-]{36}\.[a-z0-9]{1,10}$/);
  const first = await s3.send(new GetObjectCommand({ Bucket, Key: Contents[0]!.Key! }));
  expect((await first.Body!.transformToByteArray()).length).toBe(Contents[0]!.Size);
  s3.destroy();
  expect(await readdir(pipeline.demo.pods[0]!.outputDir)).not.toHaveLength(0);
});
