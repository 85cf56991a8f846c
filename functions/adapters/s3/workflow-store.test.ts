/** What holds for the bucket holds for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JobFile } from '../../core/ports.ts';
import { uuidOf } from '../../core/test-support/fixtures.ts';
import { startS3Server, type S3Server } from '../test-support/s3-server.ts';
import { createFakeWorkflowStore } from './workflow-store.fake.ts';
import { createWorkflowStore } from './workflow-store.ts';

const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"text":"ünï 世界"}}}';
const FILES: readonly JobFile[] = [
  { nodeId: '1', input: 'image', source: { kind: 'file', key: 'uploads/u/f/ü.png', filename: 'ü.png' } },
  { nodeId: '2', input: 'image', source: { kind: 'url', url: 'https://example.com/a.png?x=1' } },
];

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.stop());

describe.each([
  ['in a bucket', () => createWorkflowStore({ bucketName: 'workflows' })],
  ['in memory', () => createFakeWorkflowStore()],
])('workflows %s', (_name, create) => {
  test('come back as the text that they were, digit by digit', async () => {
    const store = create();
    expect(await store.put(uuidOf(1), WORKFLOW)).toBe('stored');
    expect(await store.get(uuidOf(1))).toBe(WORKFLOW);
    expect(await store.urlOf(uuidOf(1))).toContain(uuidOf(1));
  });

  test('that were never stored are not there', async () => {
    expect(await create().get('another')).toBeUndefined();
    expect(await create().getFiles('another')).toBeUndefined();
  });

  test('stay what they were first', async () => {
    const store = create();
    await store.put(uuidOf(2), WORKFLOW);
    expect(await store.put(uuidOf(2), WORKFLOW)).toBe('stored');
    expect(await store.put(uuidOf(2), '{}')).toBe('different');
    expect(await store.get(uuidOf(2))).toBe(WORKFLOW);
  });

  test('have their files beside them, which stay what they were first', async () => {
    const store = create();
    expect(await store.putFiles(uuidOf(3), FILES)).toBe('stored');
    expect(await store.putFiles(uuidOf(3), FILES)).toBe('stored');
    expect(await store.putFiles(uuidOf(3), FILES.slice(1))).toBe('different');
    expect(await store.getFiles(uuidOf(3))).toEqual(FILES);
  });
});

test('the URL of a workflow is read by whoever has it, for fifteen minutes', async () => {
  const store = createWorkflowStore({ bucketName: 'workflows' });
  await store.put(uuidOf(4), WORKFLOW);
  const url = await store.urlOf(uuidOf(4));
  expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('900');
  expect(await (await fetch(url)).text()).toBe(WORKFLOW);
});

test('a list of files that does not read is an error that names the job', async () => {
  server.objects.set(`/workflows/workflows/${uuidOf(5)}.files.json`, Buffer.from('[{"nodeId":1}]'));
  await expect(createWorkflowStore({ bucketName: 'workflows' }).getFiles(uuidOf(5))).rejects.toMatchObject({
    code: 'workflow.files',
    message: expect.stringContaining(uuidOf(5)),
  });
});
