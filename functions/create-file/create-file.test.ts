import { expect, test } from '@jest/globals';
import { createFileResponseSchema } from '../../shared-types/index.ts';
import { createApiWorld, createCaller } from '../adapters/test-support/api-world.ts';
import { uuidOf } from '../core/test-support/fixtures.ts';
import { createCreateFileHandler } from './create-file.ts';

const setUp = () => {
  const world = createApiWorld();
  const call = createCaller(createCreateFileHandler(world.ports));
  const create = (body: string, userId = 'user-1') => call('createFile', { body, userId });
  return { ...world, create };
};

test('a file gets an id, and a URL to which its bytes go', async () => {
  const { clock, create } = setUp();
  const { status, json } = await create('{"filename":"ünï 世界.png","content_type":"image/png","size":3}');
  expect(status).toBe(201);
  expect(createFileResponseSchema.parse(json)).toEqual({
    file_id: uuidOf(1),
    upload_url: expect.stringMatching(/^https:.*user-1.*00001/),
    headers: { 'content-type': 'image/png' },
    expires_at: clock.iso(900_000),
  });
});

test('the place is of the user who asked', async () => {
  const { create } = setUp();
  const { json } = await create('{"filename":"a.png","size":3}', 'user-1/../user-2');
  expect(createFileResponseSchema.parse(json)).toMatchObject({
    upload_url: expect.not.stringContaining('/../'),
    headers: { 'content-type': 'application/octet-stream' },
  });
});

test.each([
  ['', 400, /empty/],
  ['{', 400, /JSON/],
  ['[]', 400, /object/],
  ['{}', 400, /filename/],
  ['{"filename":"a.png"}', 400, /size/],
  ['{"filename":"a.png","size":0}', 400, /size must be a whole number from 1/],
  ['{"filename":"a.png","size":-1}', 400, /size/],
  ['{"filename":"a.png","size":1.5}', 400, /size/],
  ['{"filename":"a.png","size":"3"}', 400, /size/],
  ['{"filename":"a.png","size":[3]}', 400, /size/],
  ['{"filename":"a.png","size":104857601}', 413, /100 MB/],
  ['{"filename":"a.png","size":1e309}', 413, /100 MB/],
  ['{"filename":"../a.png","size":3}', 400, /filename/],
  ['{"filename":"..","size":3}', 400, /filename/],
  ['{"filename":"x\\nSet-Cookie:","size":3}', 400, /filename/],
  ['{"filename":"\\ud800","size":3}', 400, /filename/],
  ['{"filename":["a.png"],"size":3}', 400, /filename/],
  ['{"__proto__":{"filename":"a.png"},"size":3}', 400, /filename/],
  ['{"filename":"a.png","size":3,"content_type":"image/png\\r\\nx: y"}', 400, /content_type/],
  ['{"filename":"a.png","size":3,"content_type":"png"}', 400, /content_type/],
])('%s is refused in one line', async (body, status, message) => {
  const answer = await setUp().create(body);
  expect(answer.status).toBe(status);
  expect((answer.json as { error: string }).error).toMatch(message);
  expect(answer.text).not.toContain('\\n');
});
