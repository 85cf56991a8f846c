import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { systemClock as clock } from '../system.ts';
import { createCallbackSender } from './callback-sender.ts';

const servers: Server[] = [];
const listen = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/end`;
};
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const sender = createCallbackSender({ addressPolicy: 'any', clock });

test('posts the very body with the headers that it was given', async () => {
  let received: { headers: IncomingHttpHeaders; body: string; method: string | undefined } | undefined;
  const url = await listen((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      received = { headers: request.headers, body, method: request.method };
      response.writeHead(202).end('a body that nobody reads');
    });
  });
  const answer = await sender.post(url, { 'webhook-id': 'msg_1' }, '{"type":"task.completed"}');
  expect(answer).toEqual({ kind: 'answered', statusCode: 202 });
  expect(received).toMatchObject({
    method: 'POST',
    body: '{"type":"task.completed"}',
    headers: { 'webhook-id': 'msg_1', 'content-type': 'application/json' },
  });
});

test('a redirect is answered, not followed', async () => {
  let calls = 0;
  const target = await listen((_request, response) => {
    calls += 1;
    response.end();
  });
  const url = await listen((_request, response) => response.writeHead(307, { location: target }).end());
  expect(await sender.post(url, {}, '{}')).toEqual({ kind: 'answered', statusCode: 307 });
  expect(calls).toBe(0);
});

describe('an address that the policy forbids is never called', () => {
  const strict = createCallbackSender({ addressPolicy: 'public', clock });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/',
    'http://0x7f000001/',
    'http://10.0.0.1/',
    'http://[::1]/',
  ])('%s', async (url) => {
    expect(await strict.post(url, {}, '{}')).toEqual({
      kind: 'failed',
      message: 'the host of the callback URL resolves to an address that is not allowed',
    });
  });

  test('not even when it is a name that resolves to one', async () => {
    let calls = 0;
    const url = new URL(
      await listen((_request, response) => {
        calls += 1;
        response.end();
      }),
    );
    url.hostname = 'localhost';
    expect(await strict.post(url.href, {}, '{}')).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('not allowed'),
    });
    expect(calls).toBe(0);
  });
});

test('a refused or broken connection, and rubbish for an answer, are one line', async () => {
  const broken = await listen((request) => request.socket.destroy());
  const rubbish = await listen((request) => request.socket.end('rubbish\r\n\r\n'));
  for (const url of ['http://127.0.0.1:1/', broken, rubbish, 'gopher://127.0.0.1/', 'not a url']) {
    const answer = await sender.post(url, {}, '{}');
    expect(answer).toMatchObject({ kind: 'failed' });
    expect(answer.kind === 'failed' && answer.message).not.toMatch(/[\n\r]|127\.0\.0\.1/);
  }
});
