/** What holds for the bucket holds for the fake. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { text } from 'node:stream/consumers';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { uuidOf } from '../../core/test-support/fixtures.ts';
import { startS3Server, type S3Server } from '../test-support/s3-server.ts';
import { createFakeUploadStore } from './upload-store.fake.ts';
import { createUploadStore } from './upload-store.ts';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.stop());

const clock = createFakeClock();
const inBucket = () => {
  const store = createUploadStore({ bucketName: 'files', clock });
  const arrive = async (userId: string, fileId: string, filename: string, content: string): Promise<void> => {
    const request = { userId, fileId, filename, contentType: 'image/png', size: content.length };
    const { url, headers } = await store.presign(request);
    await fetch(url, { method: 'PUT', headers, body: content });
  };
  return { store, arrive };
};
const inMemory = () => {
  const store = createFakeUploadStore({ clock });
  return { store, arrive: async (...upload: Parameters<typeof store.arrive>) => store.arrive(...upload) };
};

describe.each([
  ['in a bucket', inBucket],
  ['in memory', inMemory],
])('uploads %s', (_name, create) => {
  test.each([['a.png'], ['ünï 世界.png'], ['we"ird &<.png'], ['a+b%20c?#.png'], ['a..b.png'], ['%2e%2e']])(
    'are found under the name %j once their bytes are there',
    async (filename) => {
      const { store, arrive } = create();
      const fileId = uuidOf(filename.length);
      expect(await store.find('user|1', fileId)).toBeUndefined();
      await arrive('user|1', fileId, filename, 'bytes');
      const found = await store.find('user|1', fileId);
      expect(found).toEqual({ key: `uploads/user~7c1/${fileId}/${filename}`, filename, size: 5 });
      const opened = await store.open(found!.key);
      expect(opened?.size).toBe(5);
      expect(await text(opened!.body)).toBe('bytes');
      server.objects.clear();
    },
  );

  test("are nobody else's", async () => {
    const { store, arrive } = create();
    await arrive('user-1', uuidOf(50), 'a.png', 'bytes');
    for (const other of ['user-2', 'user-1/x', 'user-', '..', '']) {
      expect(await store.find(other, uuidOf(50))).toBeUndefined();
    }
  });

  test('that are gone are not there', async () => {
    expect(await create().store.open('uploads/user-1/x/a.png')).toBeUndefined();
  });
});

test('the URL takes just these bytes: length and type are signed, and it is good for fifteen minutes', async () => {
  const ticket = await createUploadStore({ bucketName: 'files', clock }).presign({
    userId: 'user-1',
    fileId: uuidOf(1),
    filename: 'a.png',
    contentType: 'image/png',
    size: 482_113,
  });
  const query = new URL(ticket.url).searchParams;
  expect(query.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host');
  expect(query.get('X-Amz-Expires')).toBe('900');
  expect([...query.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
  expect(ticket).toMatchObject({
    fileId: uuidOf(1),
    headers: { 'content-type': 'image/png' },
    expiresAt: clock.iso(900_000),
  });
});
