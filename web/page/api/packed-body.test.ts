import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { MAX_TASK_BODY_BYTES } from '../../../shared-types/task-api.ts';
import { COMPRESS_ABOVE_BYTES, MAX_BODY_BYTES, packBody } from './packed-body.ts';
import { createPipelineApi } from './pipeline-api.ts';

/** Text that compression makes nothing of: each character is one of 64. */
const noise = (length: number): string => randomBytes((length / 4) * 3).toString('base64url');
const bytesOf = (body: BodyInit): Buffer => Buffer.from(body as ArrayBuffer);

test('the limit is that of the API', () => {
  expect(MAX_BODY_BYTES).toBe(MAX_TASK_BODY_BYTES);
});

test.each(['{}', 'x'.repeat(COMPRESS_ABOVE_BYTES), 'ü'.repeat(COMPRESS_ABOVE_BYTES / 2)])(
  'up to a megabyte travels as it is',
  async (text) => {
    expect(await packBody(text)).toEqual({ body: text, headers: {} });
  },
);

test.each(['x'.repeat(COMPRESS_ABOVE_BYTES + 1), 'ü'.repeat(COMPRESS_ABOVE_BYTES / 2 + 1)])(
  'more than that travels compressed, and is the same text',
  async (text) => {
    const packed = await packBody(text);
    expect(packed?.headers).toEqual({ 'content-encoding': 'gzip' });
    expect(gunzipSync(bytesOf(packed!.body)).toString('utf8')).toBe(text);
    expect(bytesOf(packed!.body).length).toBeLessThan(COMPRESS_ABOVE_BYTES / 10);
  },
);

test('what is too large even so cannot be sent', async () => {
  expect(await packBody(noise(6 * 1024 * 1024))).toBeUndefined();
});

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
}

const setUp = () => {
  const sent: Sent[] = [];
  const send = (async (url: string, init: RequestInit = {}) => {
    sent.push({ url, headers: new Headers(init.headers), body: init.body });
    const upload = { file_id: 'f-1', upload_url: 'http://s3/f-1', headers: { 'content-type': 'x/y' } };
    return new Response(JSON.stringify(url.endsWith('/files') ? upload : { id: 'task-1' }));
  }) as typeof fetch;
  return { sent, api: createPipelineApi({ apiUrl: 'http://x', token: undefined, fetch: send }) };
};
const workflowOf = (text: string): string => `{"1":{"class_type":"Note","inputs":{"text":"${text}"}}}`;

test('a workflow of 8 MB is submitted and stored in one small request each', async () => {
  const { sent, api } = setUp();
  const payload = workflowOf('a red fox '.repeat(800_000));
  expect(await api.submit({ workflowId: 'w', payload }, 'key-1')).toBe('task-1');
  await api.saveWorkflow('w', payload);
  expect(sent.map(({ url }) => url)).toEqual(['http://x/api/v1/tasks', 'http://x/api/v1/workflows/w']);
  for (const { headers, body } of sent) {
    expect(headers.get('content-encoding')).toBe('gzip');
    expect(headers.get('content-type')).toBe('application/json');
    expect(gunzipSync(bytesOf(body as ArrayBuffer)).toString('utf8')).toContain(payload);
  }
  expect(sent[0]!.headers.get('idempotency-key')).toBe('key-1');
});

test('one that compression makes nothing of is uploaded, and named in the submission', async () => {
  const { sent, api } = setUp();
  const payload = workflowOf(noise(6 * 1024 * 1024));
  expect(await api.submit({ workflowId: 'w', payload, priority: 7 }, 'key-1')).toBe('task-1');
  expect(sent.map(({ url }) => url)).toEqual([
    'http://x/api/v1/files',
    'http://s3/f-1',
    'http://x/api/v1/tasks',
  ]);
  expect(await (sent[1]!.body as File).text()).toBe(payload);
  expect(sent[2]).toMatchObject({ body: '{"workflow_id":"w","priority":7,"payload_file_id":"f-1"}' });
});
