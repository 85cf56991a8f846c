import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { MediaObject, MediaStore } from '../../core/ports.ts';
import { createMediaStore } from './media-store.ts';

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

type Answer = (received: Received, response: ServerResponse) => void;

/** Whole requests alone: what a client broke off never happened. */
let whole: Received[] = [];
let answer: Answer;
let store: MediaStore;
let begun = 0;
let broken = 0;

const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  begun += 1;
  try {
    const body = await buffer(request);
    const received = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
    whole.push(received);
    answer(received, response);
  } catch {
    broken += 1;
  }
};

const server = createServer((request, response) => void take(request, response));

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  store = createMediaStore({ bucketName: 'media', cdnUrl: 'https://cdn.example.com' });
});

beforeEach(() => {
  whole = [];
  begun = 0;
  broken = 0;
  answer = (_received, response) => response.writeHead(200, { etag: '"x"' }).end();
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const CONTENT = Buffer.alloc(200_000, 'picture');

/** The bytes inside the chunks of `aws-chunked`. */
const decoded = ({ headers, body }: Received): Buffer => {
  if (!(headers['content-encoding'] ?? '').includes('aws-chunked')) return body;
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(pieces);
    pieces.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
};

const object = (overrides: Partial<MediaObject> = {}): MediaObject => ({
  key: 'user-1/session-1/picture.png',
  body: Readable.from([CONTENT.subarray(0, 70_000), CONTENT.subarray(70_000)], { objectMode: false }),
  length: CONTENT.length,
  contentType: 'image/png',
  contentDisposition: 'inline; filename="a.png"',
  sourceEtag: '"17f-1a é"',
  ...overrides,
});

/** A body that gives some bytes and then breaks. */
const breaking = (): Readable =>
  Readable.from(
    (function* body() {
      yield CONTENT.subarray(0, 1000);
      throw new Error('the connection was reset');
    })(),
    { objectMode: false },
  );

test('streams a body with its type, its disposition and where it came from', async () => {
  expect(await store.put(object(), { overwrite: false })).toEqual({ kind: 'stored', size: CONTENT.length });
  const [put] = whole;
  expect(put).toMatchObject({
    method: 'PUT',
    headers: {
      'content-type': 'image/png',
      'content-disposition': 'inline; filename="a.png"',
      'cache-control': 'public, max-age=0, must-revalidate',
      'if-none-match': '*',
      'x-amz-meta-source-etag': '%2217f-1a%20%C3%A9%22',
    },
  });
  expect(put?.url).toMatch(/^\/media\/user-1\/session-1\/picture\.png/);
  expect(decoded(put!).equals(CONTENT)).toBe(true);
});

test('replaces only when asked to', async () => {
  await store.put(object(), { overwrite: true });
  expect(whole[0]?.headers['if-none-match']).toBeUndefined();
});

test('an empty body is an object', async () => {
  const empty = object({ body: Readable.from([], { objectMode: false }), length: 0 });
  expect(await store.put(empty, { overwrite: false })).toEqual({ kind: 'stored', size: 0 });
});

test('a key that is taken is no error', async () => {
  answer = (_received, response) =>
    response
      .writeHead(412, { 'content-type': 'application/xml' })
      .end('<Error><Code>PreconditionFailed</Code><Message>exists</Message></Error>');
  expect(await store.put(object(), { overwrite: false })).toEqual({ kind: 'exists' });
});

test.each([
  ['shorter', CONTENT.length + 1],
  ['longer', CONTENT.length - 1],
])('a body %s than its length stores nothing', async (_name, length) => {
  const put = store.put(object({ length }), { overwrite: false });
  await expect(put).rejects.toMatchObject({ code: 'media.length', retryable: true });
  expect(whole).toEqual([]);
});

test.each([[CONTENT.length], [undefined]])(
  'a body that breaks (length %p) stores nothing',
  async (length) => {
    const put = store.put(object({ body: breaking(), length }), { overwrite: false });
    await expect(put).rejects.toMatchObject({ code: 'media.put', retryable: true });
    expect(whole).toEqual([]);
    expect(begun - broken).toBeLessThanOrEqual(1);
  },
);

test('a body of unknown length is stored whole, under the same conditions', async () => {
  const put = store.put(object({ length: undefined }), { overwrite: false });
  expect(await put).toEqual({ kind: 'stored', size: CONTENT.length });
  expect(whole[0]?.headers).toMatchObject({ 'if-none-match': '*', 'content-type': 'image/png' });
  expect(decoded(whole[0]!).equals(CONTENT)).toBe(true);
});

test('a store that fails is a reason to try again', async () => {
  answer = (_received, response) => response.writeHead(403).end();
  const put = store.put(object(), { overwrite: false });
  await expect(put).rejects.toMatchObject({ code: 'media.put', retryable: true });
});

test('the source body is let go of, whatever happens', async () => {
  const kept = object();
  await store.put(kept, { overwrite: false });
  const refused = object();
  answer = (_received, response) => response.writeHead(403).end();
  await store.put(refused, { overwrite: false }).catch(() => undefined);
  expect([kept.body.destroyed, refused.body.destroyed]).toEqual([true, true]);
});

test('head answers what is stored, with the ETag that the file had', async () => {
  answer = (_received, response) =>
    response
      .writeHead(200, {
        'content-length': 1234,
        'content-type': 'image/png',
        'x-amz-meta-source-etag': '%2217f-1a%20%C3%A9%22',
      })
      .end();
  expect(await store.head('k')).toEqual({ size: 1234, contentType: 'image/png', sourceEtag: '"17f-1a é"' });
});

test.each([403, 404])(
  'head answers undefined for HTTP %i: without the right to list, S3 says 403 for what is not there',
  async (status) => {
    answer = (_received, response) => response.writeHead(status).end();
    expect(await store.head('k')).toBeUndefined();
  },
);

test('a URL carries the key as it is, escaped where it must be', () => {
  expect(store.urlOf('auth0~7c1/s_1.x-2/picture.png')).toBe(
    'https://cdn.example.com/auth0~7c1/s_1.x-2/picture.png',
  );
  expect(store.urlOf('a b/?#.png')).toBe('https://cdn.example.com/a%20b/%3F%23.png');
});
