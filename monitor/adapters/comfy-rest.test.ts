import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { createComfyRest } from './comfy-rest.ts';

/** Parts of a gzip may follow each other: one is made, however many there are. */
const megabytesOfZeros = (count: number): Buffer =>
  Buffer.concat(Array<Buffer>(count).fill(gzipSync(Buffer.alloc(1024 * 1024))));

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  server = undefined;
});

const askOf = async (listener: RequestListener, promptId = 'p', signal = new AbortController().signal) => {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createComfyRest(url).ask({ kind: 'history', promptId }, 7, signal);
};

test('reads an answer with NaN in it', async () => {
  const outcome = await askOf((_, response) =>
    response.end('{"p":{"outputs":{"1":{"scores":[NaN]}},"status":null}}'),
  );
  expect(outcome).toMatchObject({
    kind: 'answered',
    result: { kind: 'history', askedAt: 7, promptId: 'p', entry: { outputs: { 1: { scores: [null] } } } },
  });
});

test('puts a prompt id into the path as one segment', async () => {
  let seen = '';
  await askOf((request, response) => {
    seen = request.url ?? '';
    response.end('{}');
  }, '../queue?x');
  expect(seen).toBe('/history/..%2Fqueue%3Fx');
});

test.each<[string, RequestListener, string]>([
  ['HTML', (_, response) => response.end('<html>'), 'invalid'],
  ['an empty 204', (_, response) => response.writeHead(204).end(), 'invalid'],
  ['an error', (_, response) => response.writeHead(500).end('{}'), 'invalid'],
  ['a list where an object belongs', (_, response) => response.end('[]'), 'invalid'],
  [
    'a redirect',
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'unreachable',
  ],
  [
    'half an answer',
    // The server hangs up, since one that keeps the connection is waited for until it does.
    (_, response) =>
      response.writeHead(200, { 'content-length': '100' }).write('{}', () => response.destroy()),
    'unreachable',
  ],
  [
    'a gzip bomb',
    (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(megabytesOfZeros(65)),
    'invalid',
  ],
])('%s is a failed poll, not an error', async (_name, listener, failure) => {
  expect(await askOf(listener)).toEqual({ kind: 'failed', failure });
});

test('an answer that never ends is cut short by the signal', async () => {
  const controller = new AbortController();
  const outcome = await askOf(
    (_, response) => {
      response.write('{');
      setTimeout(() => controller.abort(), 50);
    },
    'p',
    controller.signal,
  );
  expect(outcome).toEqual({ kind: 'failed', failure: 'unreachable' });
});

test('a port on which nothing listens is told from a slow one', async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const rest = createComfyRest(`http://127.0.0.1:${port}`);
  const outcome = await rest.ask({ kind: 'queueLength' }, 0, new AbortController().signal);
  expect(outcome).toEqual({ kind: 'failed', failure: 'refused' });
});
