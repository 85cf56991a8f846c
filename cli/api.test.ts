import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startFakeApi, type FakeApi } from './test-support/fake-api.ts';
import { run } from './test-support/run.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(async () => {
  await api.close();
  expect(api.violations).toEqual([]);
});

const answering = (status: number, body: unknown = { error: 'no' }, headers = {}) => {
  api.intercept = () => ({ status, body, headers });
};

describe('how an answer ends', () => {
  test.each([
    [400, 2],
    [404, 2],
    [409, 2],
    [413, 2],
    [422, 2],
    [401, 5],
    [403, 5],
    [429, 4],
    [408, 4],
    [500, 4],
    [503, 4],
  ])('%d is exit code %d', async (status, code) => {
    answering(status);
    const ended = await run(['ls'], { api: api.url });
    expect(ended.code).toBe(code);
    expect(ended.err).toBe(`error: no${status === 401 ? '; set COMFY_API_KEY, or pass --key' : ''}\n`);
    expect(ended.out).toBe('');
  });

  test('nobody there is 4, and says what to do', async () => {
    const { url } = api;
    await api.close();
    const { code, err } = await run(['ls'], { api: url });
    expect(code).toBe(4);
    expect(err).toMatch(/cannot be reached \(ECONNREFUSED\); is it running \(npm start\)\?/);
    api = await startFakeApi();
  });

  test.each([
    ['<html>hello</html>', 4],
    ['{"tasks":', 4],
    ['{"tasks":[{}],"next_cursor":null}', 4],
    ['null', 4],
  ])('200 with %s is something else than expected', async (body, code) => {
    answering(200, body);
    const ended = await run(['ls', '--json'], { api: api.url });
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toContain('something else than expected');
  });

  test('what the gateway says is told; hostile text is tamed', async () => {
    answering(403, { message: 'For\u001b[2Jbidden\r\n' });
    expect((await run(['ls'], { api: api.url })).err).toBe('error: the API answered 403: For [2Jbidden\n');
    answering(502, '<html>');
    expect((await run(['ls'], { api: api.url })).err).toBe('error: the API answered 502\n');
  });

  test('a redirect is not followed: the key would go along', async () => {
    answering(307, '', { location: 'http://127.0.0.1:1/' });
    expect((await run(['ls', '--key', 'k'], { api: api.url })).code).toBe(4);
  });
});

describe('trying again', () => {
  test('a read is tried five times, each wait twice the one before', async () => {
    answering(503);
    const waits: number[] = [];
    await run(['ls'], { api: api.url, waits });
    expect(waits).toEqual([500, 1000, 2000, 4000]);
    expect(api.requests).toHaveLength(5);
  });

  test('Retry-After is kept to, within reason', async () => {
    answering(429, { error: 'slow down' }, { 'retry-after': '7' });
    const waits: number[] = [];
    await run(['ls'], { api: api.url, waits });
    answering(429, { error: 'slow down' }, { 'retry-after': '86400' });
    await run(['ls'], { api: api.url, waits });
    expect(waits).toEqual([7000, 7000, 7000, 7000, 30_000, 30_000, 30_000, 30_000]);
  });

  test('a broken connection heals', async () => {
    let calls = 0;
    api.intercept = () => ((calls += 1) < 3 ? 'cut' : undefined);
    expect((await run(['ls'], { api: api.url })).code).toBe(0);
  });

  test('a new key is asked for once: twice would make two', async () => {
    answering(503);
    expect((await run(['keys', 'create'], { api: api.url })).code).toBe(4);
    expect(api.requests).toHaveLength(1);
  });

  test('a refusal is not asked for again', async () => {
    answering(409);
    await run(['ls'], { api: api.url });
    expect(api.requests).toHaveLength(1);
  });

  test('gone at the second try is gone by the first, whose answer was lost', async () => {
    api.workflows.set('a', '{}');
    let calls = 0;
    api.intercept = () => ((calls += 1) === 1 ? 'lose' : undefined);
    expect((await run(['workflows', 'rm', 'a'], { api: api.url })).code).toBe(0);
    expect((await run(['workflows', 'rm', 'a'], { api: api.url })).code).toBe(2);
  });

  test('Ctrl-C ends a call that hangs', async () => {
    const stopping = new AbortController();
    api.intercept = () => {
      stopping.abort();
      return 'cut';
    };
    const { code, err } = await run(['ls'], { api: api.url, signal: stopping.signal });
    expect([code, err, api.requests.length]).toEqual([3, 'stopped\n', 1]);
  });
});

describe('who calls', () => {
  test('the key is a bearer token, from option or environment; without one there is none', async () => {
    const env = { COMFY_API_KEY: 'from-env' };
    await run(['ls', '--key', 'from-option'], { api: api.url, env });
    await run(['ls'], { api: api.url, env });
    await run(['ls'], { api: api.url });
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer from-option',
      'Bearer from-env',
      undefined,
    ]);
  });

  test.each(['a b', 'a\nb', 'ü', ''])('%j is no key', async (key) => {
    const { code, err } = await run(['ls', '--key', key], { api: api.url });
    expect([code, api.requests.length]).toEqual([2, 0]);
    expect(err).not.toContain('ü');
  });

  test.each(['nonsense', 'ftp://a.example', 'http://user:secret@a.example', 'http://a.example/?x=1'])(
    '%s is no address of an API, and its secrets are not shown',
    async (url) => {
      const { code, err } = await run(['ls', '--api', url], { api: api.url });
      expect([code, api.requests.length]).toEqual([2, 0]);
      expect(err).not.toContain('secret');
    },
  );

  test.each(['', '/', '/api/v1', '/api/v1/'])('the address may end in %j', async (end) => {
    expect((await run(['ls', '--api', `${api.url}${end}`], { api: 'http://127.0.0.1:1' })).code).toBe(0);
  });
});
