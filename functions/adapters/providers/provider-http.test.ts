import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { createContractClock, until } from './provider-contract-support.ts';
import {
  providerRequest,
  quotedWithout,
  readProviderJson,
  refusalOf,
  retryAfterMs,
} from './provider-http.ts';

describe('one request', () => {
  let server: Server | undefined;
  const serve = async (listener: RequestListener): Promise<string> => {
    server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    if (server !== undefined) await once(server, 'close');
    server = undefined;
  });

  test('sends its body as JSON with its length, and gives status, headers and text', async () => {
    const url = await serve((request, response) => {
      const { 'content-type': type, 'content-length': length, 'x-a': a } = request.headers;
      response
        .writeHead(418, { 'x-b': 'c' })
        .end(JSON.stringify([request.method, request.url, type, length, a]));
    });
    const answer = await providerRequest({
      url: `${url}/x?y=1`,
      method: 'PUT',
      headers: { 'x-a': 'b' },
      body: { ü: 1 },
    });
    expect(answer).toMatchObject({
      kind: 'answer',
      status: 418,
      headers: { 'x-b': 'c' },
      text: '["PUT","/x?y=1","application/json","8","b"]',
    });
  });

  test('a body of more than 10 MB, and a compressed one, are failures', async () => {
    const piece = Buffer.alloc(1024 * 1024);
    const url = await serve((request, response) => {
      if (request.url === '/gzip') {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{}'));
        return;
      }
      response.on('error', () => undefined);
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    expect(await providerRequest({ url: `${url}/endless`, method: 'GET' })).toEqual({
      kind: 'failed',
      message: 'the answer is longer than 10485760 bytes',
    });
    expect(await providerRequest({ url: `${url}/gzip`, method: 'GET' })).toMatchObject({ kind: 'failed' });
  });

  test('a sink takes the body of a success, of any length, and not that of a failure', async () => {
    const url = await serve((request, response) => {
      response.writeHead(request.url === '/bad' ? 400 : 200).end(Buffer.alloc(12 * 1024 * 1024, 'x'));
    });
    let size = 0;
    const sink = (piece: Buffer): void => void (size += piece.length);
    const good = await providerRequest({ url: `${url}/good`, method: 'GET', sink });
    expect(good).toMatchObject({ kind: 'answer', text: '' });
    expect(size).toBe(12 * 1024 * 1024);
    expect(await providerRequest({ url: `${url}/bad`, method: 'GET', sink })).toMatchObject({
      kind: 'failed',
    });
    expect(size).toBe(12 * 1024 * 1024);
  });

  test('its deadline covers a body that never ends, and its signal ends it at once', async () => {
    let held = 0;
    const url = await serve((_, response) => {
      response.writeHead(200);
      response.write('{', () => void (held += 1));
    });
    const clock = createContractClock();
    const slow = providerRequest({ url, method: 'GET', clock, timeoutMs: 1234 });
    await until(() => held === 1);
    clock.elapse();
    expect(await slow).toEqual({ kind: 'failed', message: 'no answer within 1234 ms' });
    const stop = new AbortController();
    const unwanted = providerRequest({ url, method: 'GET', clock, signal: stop.signal });
    await until(() => held === 2);
    stop.abort();
    expect(await unwanted).toEqual({ kind: 'failed', message: 'given up' });
    expect(await providerRequest({ url, method: 'GET', signal: stop.signal })).toMatchObject({
      kind: 'failed',
    });
    expect(held).toBe(2);
  });

  test.each(['http://127.0.0.1:1/key-in-path', 'no address', 'ftp://127.0.0.1/x'])(
    'fails for %j, and does not repeat the address',
    async (url) => {
      const result = await providerRequest({ url, method: 'GET' });
      expect(result.kind).toBe('failed');
      expect(JSON.stringify(result)).not.toContain('key-in-path');
    },
  );

  test('a header that is none is a failure without its value', async () => {
    const headers = { authorization: 'secret\nvalue' };
    const result = await providerRequest({ url: 'http://127.0.0.1:1', method: 'GET', headers });
    expect(result.kind).toBe('failed');
    expect(JSON.stringify(result)).not.toContain('secret');
  });
});

describe('what an answer means', () => {
  test.each([
    [200, 'unavailable'],
    [302, 'unavailable'],
    [400, 'rejected'],
    [401, 'unauthorized'],
    [402, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'rejected'],
    [408, 'unavailable'],
    [422, 'rejected'],
    [429, 'rateLimited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [0, 'unavailable'],
  ])('status %d is %s', (status, kind) => {
    expect(refusalOf(status, undefined, 'm')).toMatchObject({ kind, message: 'm' });
  });

  test.each([
    ['7', 7000],
    ['0', 0],
    ['1.5', 1500],
    ['Sun, 22 Nov 2026 10:00:30 GMT', 30_000],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
    ['99999999', 3_600_000],
    ['-4', 0],
    ['soon', 5000],
    ['Infinity', 5000],
    ['', 5000],
    [undefined, 5000],
  ])('Retry-After %j is %d ms', (header, ms) => {
    expect(retryAfterMs(header, Date.parse('2026-11-22T10:00:00Z'))).toBe(ms);
  });

  test('a message is one line without secrets, however they are written', () => {
    const secret = 'a "quoted"/secret+1';
    const text = `no\n${secret} ${JSON.stringify({ secret })} ${new URLSearchParams({ secret }).toString()}\u0000`;
    expect(quotedWithout(text, [secret, ''])).toBe('no *** {"secret":"***"} secret=***');
    expect(quotedWithout('x'.repeat(1000), []).length).toBe(300);
    expect(quotedWithout('lone \uD800', ['lone-\uD800-surrogate'])).toBe('lone \uD800');
  });

  test.each(['', 'null', '[]', '{', 'NaN', '<html>', '{"id":null}', '{"id":1}'])(
    'a body of %j does not read',
    (text) => {
      const reading = readProviderJson({ status: 200, text }, z.object({ id: z.string() }));
      expect(reading.kind).toBe('unavailable');
    },
  );
});
