/** What holds for the bucket holds for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startAwsServer, type AwsServer } from '../test-support/aws-server.ts';
import { createFakeWorkflowStore } from './workflow-store.fake.ts';
import { createWorkflowStore } from './workflow-store.ts';

const NO_SUCH_KEY =
  '<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>';

let server: AwsServer;
const objects = new Map<string, string>();
beforeAll(async () => {
  server = await startAwsServer(({ method, path, body }) => {
    const key = path.split('?')[0] ?? '';
    if (method === 'PUT') objects.set(key, body);
    const object = objects.get(key);
    if (object === undefined)
      return { status: 404, headers: { 'content-type': 'application/xml' }, body: NO_SUCH_KEY };
    return { status: 200, body: method === 'GET' ? object : '' };
  });
  process.env['AWS_ENDPOINT_URL_S3'] = server.url;
});
afterAll(() => server.stop());

describe.each([
  ['in a bucket', () => createWorkflowStore({ bucketName: 'workflows' })],
  ['in memory', () => createFakeWorkflowStore()],
])('workflows %s', (_name, create) => {
  test('come back as the text that they were, digit by digit', async () => {
    const store = create();
    const workflow =
      '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"text":"ünï 世界"}}}';
    await store.put('7d3a1c52-5c3e-4a0b-9f0e-3b8f6f0f5a11', workflow);
    expect(await store.get('7d3a1c52-5c3e-4a0b-9f0e-3b8f6f0f5a11')).toBe(workflow);
  });

  test('that were never stored are not there', async () => {
    expect(await create().get('another')).toBeUndefined();
  });
});
