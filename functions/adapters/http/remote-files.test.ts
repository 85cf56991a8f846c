/** Files at URLs that callers name: strangers' servers, strangers' addresses. */
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock as clock } from '../system.ts';
import { closedEndpoint, listen, recording, stopServers } from '../test-support/http-server.ts';
import { createRemoteFiles } from './remote-files.ts';

const limits = { maxBytes: 1000, deadlineMs: 20_000 };
const files = createRemoteFiles({ addressPolicy: 'any', clock, timeoutMs: 5000, limits });
const careful = createRemoteFiles({ addressPolicy: 'public', clock, timeoutMs: 5000, limits });

afterEach(stopServers);

const spoolFolders = async (): Promise<readonly string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('comfyui-file-'));

const waitFor = async (condition: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('this did not come true');
    await clock.sleep(5);
  }
};

const contentOf = async (url: string): Promise<readonly [string, number]> => {
  const opened = await files.open(url);
  if (opened.kind !== 'found') throw new Error(opened.message);
  return [await text(opened.body), opened.size];
};

test('a file of a declared length is passed on as it comes', async () => {
  const { endpoint, received } = await recording(() => [200, 'a picture', { 'content-length': 9 }]);
  expect(await contentOf(`${endpoint}/a.png?x=1`)).toEqual(['a picture', 9]);
  expect(received[0]?.path).toBe('/a.png?x=1');
});

test('one of an undeclared length is kept until its length is known, and then is gone', async () => {
  const before = await spoolFolders();
  const endpoint = await listen((_request, response) => {
    response.write('a pic');
    response.end('ture');
  });
  expect(await contentOf(endpoint)).toEqual(['a picture', 9]);
  await waitFor(async () => (await spoolFolders()).length <= before.length);
});

describe('a redirect', () => {
  test('is followed, here or to another host, and checked again', async () => {
    const target = await recording(() => [200, 'there', { 'content-length': 5 }]);
    const from = await recording(({ path }) =>
      path === '/a' ? [302, '', { location: '/b' }] : [301, '', { location: `${target.endpoint}/c` }],
    );
    expect(await contentOf(`${from.endpoint}/a`)).toEqual(['there', 5]);
    const inner = await recording(() => [302, '', { location: 'http://169.254.169.254/latest/meta-data' }]);
    expect(await files.open(inner.endpoint)).toEqual({
      kind: 'refused',
      message: 'its address is not allowed',
    });
  });

  test.each(['file:///etc/passwd', 'gopher://127.0.0.1/', 'http://user:secret@127.0.0.1/', 'http://', ''])(
    'to %j leads nowhere',
    async (location) => {
      const { endpoint } = await recording(() => [302, '', { location }]);
      expect(await files.open(endpoint)).toMatchObject({ kind: 'refused' });
    },
  );

  test('in a circle ends', async () => {
    const { endpoint, received } = await recording(() => [307, '', { location: '/again' }]);
    expect(await files.open(endpoint)).toMatchObject({ kind: 'refused' });
    expect(received).toHaveLength(4);
  });
});

describe('an address that the policy does not allow is not connected to', () => {
  test.each([
    'http://127.0.0.1:1/',
    'http://169.254.169.254/latest',
    'http://[::ffff:169.254.169.254]/',
    'http://[::1]/',
    'http://0x7f000001/',
    'http://10.0.0.1/',
    'http://localhost/',
  ])('%s', async (url) => {
    expect(await careful.open(url)).toEqual({ kind: 'refused', message: 'its address is not allowed' });
  });

  test.each(['file:///etc/passwd', 'ftp://example.com/', 'https://a:b@example.com/', 'x', ''])(
    '%j is none',
    async (url) => {
      expect(await files.open(url)).toMatchObject({ kind: 'refused' });
    },
  );
});

describe('what a server answers', () => {
  test.each([
    [404, 'refused'],
    [403, 'refused'],
    [204, 'refused'],
    [206, 'refused'],
    [429, 'unreachable'],
    [503, 'unreachable'],
  ])('HTTP %d is %s', async (status, kind) => {
    const { endpoint } = await recording(() => [status, '']);
    expect(await files.open(endpoint)).toMatchObject({ kind });
  });

  test('a file that says it is too large is refused', async () => {
    const endpoint = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 1001 }).flushHeaders();
    });
    expect(await files.open(endpoint)).toEqual({
      kind: 'refused',
      message: 'the file is larger than 1000 bytes',
    });
  });

  test('one that does not say so, and is, as well', async () => {
    const before = await spoolFolders();
    const endpoint = await listen((_request, response) => {
      response.write('x'.repeat(600));
      response.end('x'.repeat(600));
    });
    expect(await files.open(endpoint)).toMatchObject({ kind: 'refused' });
    expect((await spoolFolders()).length).toBeLessThanOrEqual(before.length);
  });

  test('a compressed one is refused: it could unfold into any size', async () => {
    const { endpoint } = await recording(() => [200, 'x', { 'content-encoding': 'gzip' }]);
    expect(await files.open(endpoint)).toMatchObject({ kind: 'refused' });
  });

  test('one that is cut short fails while it is read, and may be tried again', async () => {
    const endpoint = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('abc', () => response.destroy());
    });
    const opened = await files.open(endpoint);
    if (opened.kind !== 'found') throw new Error(opened.kind);
    await expect(text(opened.body)).rejects.toThrow();
  });

  test('one that never ends is refused after its time', async () => {
    const endpoint = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('abc');
    });
    const hasty = createRemoteFiles({
      addressPolicy: 'any',
      clock,
      timeoutMs: 5000,
      limits: { maxBytes: 100, deadlineMs: 60 },
    });
    const opened = await hasty.open(endpoint);
    if (opened.kind !== 'found') throw new Error(opened.kind);
    await expect(text(opened.body)).rejects.toMatchObject({ code: 'file.refused' });
  });

  test('nothing, and nobody', async () => {
    const silent = await listen(() => undefined);
    const hasty = createRemoteFiles({ addressPolicy: 'any', clock, timeoutMs: 60, limits });
    expect(await hasty.open(silent)).toEqual({
      kind: 'unreachable',
      message: 'its server does not answer in time',
    });
    expect(await files.open(await closedEndpoint())).toEqual({
      kind: 'unreachable',
      message: 'its server cannot be reached',
    });
  });
});
