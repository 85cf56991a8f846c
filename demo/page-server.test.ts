import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileOfPath, startPageServer, type PageServer } from './page-server.ts';

let folder: string;
let server: PageServer;
const config = { apiUrl: 'http://127.0.0.1:1', webSocketUrl: 'ws://127.0.0.1:2' };

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'page-'));
  await writeFile(path.join(folder, 'index.html'), '<p>hello</p>');
  await writeFile(path.join(path.dirname(folder), `${path.basename(folder)}-secret`), 'no');
  server = await startPageServer({ folder, config }, 0);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-secret`, { force: true });
});

/** Raw, because fetch tidies paths up before it sends them. */
const get = (rawPath: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(server.url);
    http
      .get({ host: '127.0.0.1', port, path: rawPath }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
      .on('error', reject);
  });

test('the page and its configuration are served', async () => {
  expect(await get('/')).toEqual({ status: 200, body: '<p>hello</p>' });
  expect(JSON.parse((await get('/config.json?x=1')).body)).toEqual(config);
});

test.each(['/../x', '/%2e%2e/x', '/..%2f', '/%00', '/%', '/nothing.js', '/../{}-secret'])(
  '%s is not found and serves nothing outside',
  async (rawPath) => {
    const asked = rawPath.replace('{}', path.basename(folder));
    expect((await get(asked)).status).toBe(404);
  },
);

test('a path never leaves the folder', () => {
  for (const rawPath of ['/../etc/passwd', '/%2e%2e%2fx', '/a/../../b', '//etc/passwd']) {
    const file = fileOfPath('/page', rawPath);
    expect(file === undefined || file.startsWith('/page/')).toBe(true);
  }
});

test('a port that is taken falls back to a free one', async () => {
  const second = await startPageServer({ folder, config }, Number(new URL(server.url).port));
  expect(second.url).not.toBe(server.url);
  await second.close();
});

test('without a bus there is no stream and no word of one', async () => {
  expect((await get('/events')).status).toBe(404);
  expect((await get('/config.json')).body).not.toContain('eventsUrl');
});

test('each event of the bus is one message, whatever line ends it has, until the page leaves', async () => {
  const listeners = new Set<(event: string) => void>();
  const bus = {
    subscribe: (listener: (event: string) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const watched = await startPageServer({ folder, config, bus }, 0);
  try {
    const settings = (await (await fetch(`${watched.url}config.json`)).json()) as { eventsUrl: string };
    const leaving = new AbortController();
    const stream = await fetch(new URL(settings.eventsUrl, watched.url), { signal: leaving.signal });
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (const listener of listeners) listener('{"a":1,\n"b":2}');
    let text = '';
    while (!text.includes('"b"')) text += (await reader.read()).value ?? '';
    expect(text).toContain('data: {"a":1,\ndata: "b":2}\n\n');
    leaving.abort();
    await reader.closed.catch(() => undefined);
    while (listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    await watched.close();
  }
});
