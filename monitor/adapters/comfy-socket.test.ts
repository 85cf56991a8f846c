import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { until } from '../test-support/monitor-bench.ts';
import { keepConnected, PING, reconnectDelay } from './comfy-socket.ts';

let server: WebSocketServer;
const ending = { now: new AbortController() };
afterEach(async () => {
  ending.now.abort();
  ending.now = new AbortController();
  await new Promise((resolve) => server.close(resolve));
});

const open = async (autoPong = true, ping = PING) => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong });
  await new Promise((resolve) => server.once('listening', resolve));
  const log: string[] = [];
  const peers: WebSocket[] = [];
  const headers: NodeJS.Dict<string | string[]>[] = [];
  let most = 0;
  server.on('connection', (socket, request) => {
    peers.push(socket);
    headers.push(request.headers);
    most = Math.max(most, server.clients.size);
    socket.on('message', (data) => log.push((data as Buffer).toString()));
  });
  const listener = {
    opened: () => void log.push('opened'),
    frame: (data: Buffer) => void log.push(`frame ${data.length}`),
    closed: () => void log.push('closed'),
  };
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws?clientId=m`;
  return {
    socket: keepConnected(url, ending.now.signal, listener, () => 0, ping),
    log,
    peers,
    headers,
    most: () => most,
  };
};

describe('the socket to ComfyUI', () => {
  test('asks for metadata first, sends no origin and no compression', async () => {
    const { log, headers } = await open();
    await until('flags', () => log.length === 2);
    expect(log).toContain('{"type":"feature_flags","data":{"supports_preview_metadata":true}}');
    expect(headers[0]).not.toHaveProperty('origin');
    expect(headers[0]).not.toHaveProperty('sec-websocket-extensions');
  });

  test('is replaced only after the old one is closed, also when renewed', async () => {
    const { socket, peers, log, most } = await open();
    for (let n = 1; n <= 3; n += 1) {
      await until('connected', () => log.filter((l) => l === 'opened').length === n);
      if (n === 2) peers[1]!.terminate();
      else socket.renew();
    }
    await until('connected again', () => peers.length === 4);
    expect(most()).toBe(1);
    expect(log.filter((l) => l === 'closed').length).toBeGreaterThanOrEqual(3);
  });

  test('is replaced when its pings are no longer answered', async () => {
    const { peers } = await open(false, { everyMs: 10, timeoutMs: 50 });
    await until('a second connection', () => peers.length >= 2);
    expect(server.clients.size).toBeLessThanOrEqual(1);
  });

  test('is kept while its pings are answered, however silent it is', async () => {
    const { peers } = await open(true, { everyMs: 10, timeoutMs: 20_000 });
    let pings = 0;
    await until('connected', () => peers.length === 1);
    peers[0]!.on('ping', () => (pings += 1));
    await until('many pings', () => pings >= 30);
    expect(peers).toHaveLength(1);
  });

  test('is pinged every 20 s and given a minute and more: a model that loads blocks the answers', () => {
    expect(PING.everyMs).toBe(20_000);
    expect(PING.timeoutMs).toBeGreaterThanOrEqual(60_000);
  });

  test('that is refused is tried again, one at a time, after a delay each, and is no connection', async () => {
    let [underWay, most, refusals] = [0, 0, 0];
    const asked: number[] = [];
    const refusing = createServer();
    refusing.on('upgrade', (_request, socket) => {
      most = Math.max(most, (underWay += 1));
      refusals += 1;
      socket.once('close', () => (underWay -= 1));
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    const { port } = refusing.address() as AddressInfo;
    const log: string[] = [];
    const note = (what: string) => () => void log.push(what);
    const listener = { opened: note('opened'), frame: note('frame'), closed: note('closed') };
    const random = (): number => {
      asked.push(refusals);
      return 0.001;
    };
    const { done } = keepConnected(`ws://127.0.0.1:${port}/ws`, ending.now.signal, listener, random);
    await until('it was refused six times', () => refusals >= 6);
    ending.now.abort();
    await done;
    expect([most, log]).toEqual([1, []]);
    // One delay after each refusal, before the next.
    expect(asked.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    await new Promise((resolve) => refusing.close(resolve));
    await open();
  });

  test('is closed by a frame of more than 64 MB, without taking it in, and comes back', async () => {
    const { peers, log } = await open();
    await until('connected', () => peers.length === 1 && log.includes('opened'));
    peers[0]!.on('error', () => undefined);
    peers[0]!.send(Buffer.alloc(64 * 1024 * 1024 + 1));
    await until('connected again', () => log.filter((line) => line === 'opened').length === 2);
    expect(log.filter((line) => line.startsWith('frame'))).toEqual([]);
    expect(log.filter((line) => line.startsWith('closed'))).toHaveLength(1);
  });

  test('ends for good when its signal is aborted', async () => {
    const { socket, log } = await open();
    await until('connected', () => log.includes('opened'));
    ending.now.abort();
    await socket.done;
    expect(server.clients.size).toBeLessThanOrEqual(1);
    expect(log.at(-1)).toBe('closed');
  });
});

test('the delay before a reconnect grows from a quarter of a second to half a minute', () => {
  expect([0, 1, 7, 99].map((tries) => reconnectDelay(tries, () => 1))).toEqual([250, 500, 30_000, 30_000]);
});
