/** What a task is made of, and who is told of its end: parameters, files, large workflows, callbacks. On the running stack. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHmac, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { apiCaller, type ApiCaller } from './support/api.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { podControl, type PodControl } from './support/pods.ts';
import { startReceiver } from './support/receiver.ts';
import { waitUntil } from './support/wait.ts';
import { textToImage, type Workflow } from './support/workflows.ts';

/** Only waited out by a test that fails. */
jest.setTimeout(120_000);

let pipeline: Pipeline;
let api: ApiCaller;
let pod: PodControl;

beforeAll(async () => {
  // The HTTPS server of a test has a certificate that nobody vouches for.
  pipeline = await startPipeline({
    variables: { dispatch: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } },
    stepDelayMs: 1,
    aws: { scheduleScale: 20 },
  });
  api = apiCaller(pipeline.demo.endpoints.apiUrl);
  pod = podControl(pipeline.demo.pods[0]!.url);
}, 120_000);
afterAll(() => pipeline.stop(), 60_000);

let seed = 1000;
/** Never seen before, so that no cache answers it. */
const fresh = (): Workflow => textToImage({ seed: (seed += 1), steps: 2, size: 16 });

test('a stored workflow runs with the parameters of the task', async () => {
  const parameters = {
    prompt: '6.inputs.text',
    texts: ['6.inputs.text', '7.inputs.text'],
    seed: '3.inputs.seed',
  };
  const put = await api.operation('putWorkflow', 'text_to_image_v1', {
    body: { workflow: fresh(), parameters },
  });
  expect(put).toMatchObject({ status: 201, body: { id: 'text_to_image_v1', parameters } });
  const body =
    '{"workflow_id":"text_to_image_v1","inputs":{"prompt":"a red fox","seed":18446744073709551615}}';
  const sent = await api.operation('submitTask', '', { body });
  expect(sent.status).toBe(201);
  const task = await api.finished(String(sent.body?.['id']));
  expect(task.status).toBe('completed');
  const executed = await pod.workflowOf(task.prompt_id ?? '');
  expect(executed['6']?.inputs['text']).toBe('a red fox');
  const history = await (await fetch(`${pod.url}/history/${task.prompt_id}`)).text();
  expect(history).toMatch(/"seed": ?18446744073709551615/);
  const wrong = await api.operation('submitTask', '', {
    body: { workflow_id: 'text_to_image_v1', inputs: { promt: 'x' } },
  });
  expect(wrong).toMatchObject({ status: 400, body: { error: expect.stringMatching(/"promt".*"prompt"/) } });
});

describe('files', () => {
  const picture = (): Buffer => {
    const png = new PNG({ width: 3, height: 2 });
    png.data = Buffer.from(
      Array.from({ length: 24 }, (_, index) => (index % 4 === 3 ? 255 : (index * 37 + seed) % 256)),
    );
    return PNG.sync.write(png);
  };
  const upload = async (bytes: Uint8Array, filename: string): Promise<string> => {
    const asked = await api.operation('createFile', '', { body: { filename, size: bytes.length } });
    expect(asked.status).toBe(201);
    const { file_id, upload_url, headers } = asked.body as {
      file_id: string;
      upload_url: string;
      headers: Record<string, string>;
    };
    const put = await fetch(upload_url, { method: 'PUT', headers, body: new Uint8Array(bytes) });
    expect(put.status).toBe(200);
    return file_id;
  };
  const loadAndSave = (): Workflow => ({
    '1': { class_type: 'LoadImage', inputs: { image: 'example.png' } },
    '2': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['1', 0] } },
  });
  const pixelsOfOutput = async (id: string): Promise<Buffer> => {
    const task = await api.finished(id);
    expect(task).toMatchObject({ status: 'completed', error: '' });
    const response = await fetch(task.result!.outputs[0]!.src);
    return PNG.sync.read(Buffer.from(await response.arrayBuffer())).data;
  };

  test('an uploaded picture goes through the workflow, pixel by pixel', async () => {
    const bytes = picture();
    const file_id = await upload(bytes, 'ünï 世界.png');
    const inputs = { '1.inputs.image': { file_id } };
    const id = await api.submit({ payload: loadAndSave(), inputs });
    expect((await pixelsOfOutput(id)).equals(PNG.sync.read(bytes).data)).toBe(true);
  });

  test('a picture named by its URL is fetched', async () => {
    const bytes = picture();
    const server = await startReceiver(() => ({ status: 200, body: bytes }), { tls: true });
    try {
      const inputs = { '1.inputs.image': { url: `${server.url}/some/picture.png?signature=1` } };
      const id = await api.submit({ payload: loadAndSave(), inputs });
      expect((await pixelsOfOutput(id)).equals(PNG.sync.read(bytes).data)).toBe(true);
      expect(server.received.map((request) => request.path)).toEqual(['/some/picture.png?signature=1']);
    } finally {
      await server.close();
    }
  });

  test('a file that was never sent is named, and no task is made', async () => {
    const asked = await api.operation('createFile', '', { body: { filename: 'a.png', size: 10 } });
    const inputs = { '1.inputs.image': { file_id: asked.body?.['file_id'] } };
    const answer = await api.operation('submitTask', '', {
      body: { workflow_id: 'test', payload: loadAndSave(), inputs },
    });
    expect(answer).toMatchObject({ status: 404, body: { error: expect.stringMatching(/upload_url/) } });
  });

  /** A title of so many bytes, which no node reads. */
  const large = (bytes: number): Workflow => {
    const workflow = fresh();
    workflow['7']!._meta = { title: randomBytes(bytes / 2).toString('hex') };
    return workflow;
  };

  test('a body of more than 4 MB is taken as gzip', async () => {
    const body = JSON.stringify({ workflow_id: 'large', payload: large(4_300_000) });
    const plain = await api.operation('submitTask', '', { body });
    expect(plain).toMatchObject({ status: 413, body: { error: expect.stringMatching(/gzip.*files/) } });
    const headers = { 'content-encoding': 'gzip' };
    const sent = await api.operation('submitTask', '', { body: new Uint8Array(gzipSync(body)), headers });
    expect(sent.status).toBe(201);
    expect((await api.finished(String(sent.body?.['id']))).status).toBe('completed');
  });

  test('a workflow that no function is given as a body is taken as a file, and read back by its URL', async () => {
    const text = JSON.stringify(large(6_600_000));
    const payload_file_id = await upload(Buffer.from(text), 'workflow.json');
    const id = await api.submit({ payload_file_id });
    const task = await api.finished(id);
    expect(task).toMatchObject({ status: 'completed', payload: null });
    expect(await (await fetch(task.payload_url ?? '')).json()).toEqual(JSON.parse(text));
  });
});

test('a callback comes signed, is repeated on demand under the same id, and the log tells of both', async () => {
  const receiver = await startReceiver((_request, earlier) => ({ status: earlier === 0 ? 500 : 204 }));
  try {
    const secret = String((await api.operation('getCallbackSecret')).body?.['secret']);
    const id = await api.submit({ payload: fresh(), callback_url: `${receiver.url}/hook?x=1` });
    await waitUntil(() => receiver.received.length > 0, { what: 'the callback', timeoutMs: 60_000 });
    await pipeline.demo.aws.idle();
    const again = await api.operation('redeliverCallback', id);
    expect(again.status).toBe(202);
    const delivered = async (): Promise<boolean> => {
      const { body } = await api.operation('listCallbacks', id);
      return (body as { deliveries: { status: string }[] }).deliveries[0]?.status === 'delivered';
    };
    await waitUntil(delivered, { what: 'the delivery', timeoutMs: 60_000 });
    const log = (await api.operation('listCallbacks', id)).body as { deliveries: { attempts: object[] }[] };
    expect(log.deliveries).toHaveLength(1);
    expect(log.deliveries[0]?.attempts).toMatchObject([{ status_code: 500 }, { status_code: 204 }]);
    expect(receiver.received).toHaveLength(2);
    for (const { path: called, headers, body } of receiver.received) {
      expect(called).toBe('/hook?x=1');
      expect(headers['webhook-id']).toBe(receiver.received[0]?.headers['webhook-id']);
      const signed = [headers['webhook-id'], headers['webhook-timestamp'], body].join('.');
      const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
      const signature = createHmac('sha256', key).update(signed).digest('base64');
      expect(headers['webhook-signature']).toBe(`v1,${signature}`);
      expect(JSON.parse(body)).toMatchObject({
        type: 'task.completed',
        data: { id, status: 'completed', result: { outputs: [{ mime_type: 'image/png' }] } },
      });
    }
  } finally {
    await receiver.close();
  }
});
