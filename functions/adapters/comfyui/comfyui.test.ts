import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { OutputFile } from '../../../shared-types/index.ts';
import { systemClock as clock } from '../system.ts';
import { createComfyUi } from './comfyui.ts';

const comfyUi = createComfyUi({ addressPolicy: 'any', clock, timeoutMs: 2000 });
const impatient = createComfyUi({ addressPolicy: 'any', clock, timeoutMs: 60 });
const PROMPT_ID = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
const file: OutputFile = {
  nodeId: '9',
  outputKey: 'images',
  index: 0,
  filename: 'a.png',
  subfolder: '',
  type: 'output',
};

const servers: Server[] = [];

const listen = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** A worker that answers every request alike. */
const answering = (status: number, body: string | Buffer, headers: Record<string, string> = {}) =>
  listen((request, response) => {
    request.resume();
    request.once('end', () => response.writeHead(status, headers).end(body));
  });

/** A worker that answers by path, the n-th time with the n-th answer. */
const scripted = async (answers: Record<string, unknown[]>) => {
  const seen: string[] = [];
  const endpoint = await listen((request, response) => {
    const path = request.url ?? '';
    seen.push(path);
    const [first, ...later] = answers[path] ?? [];
    if (later.length > 0) answers[path] = later;
    response.end(JSON.stringify(first ?? {}));
  });
  return { endpoint, seen };
};

const closedEndpoint = async (): Promise<string> => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
};

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

describe('submitPrompt', () => {
  test('posts the text as it is', async () => {
    const received: unknown[] = [];
    const endpoint = await listen((request, response) => {
      const reply = async (): Promise<void> => {
        const body = await buffer(request);
        received.push(request.method, request.url, request.headers['content-type'], body.toString());
        response.end(JSON.stringify({ prompt_id: PROMPT_ID, number: 1, node_errors: {} }));
      };
      void reply();
    });
    const body = '{"prompt":{"3":{"inputs":{"seed":18446744073709551615}}},"title":"世界"}';
    expect(await comfyUi.submitPrompt(endpoint, body)).toEqual({ kind: 'accepted', droppedNodes: [] });
    expect(received).toEqual(['POST', '/prompt', 'application/json', body]);
  });

  test('a bare NaN in the answer does not hide that it was accepted, nor which nodes were dropped', async () => {
    const endpoint = await answering(
      200,
      `{"prompt_id":"${PROMPT_ID}","number":NaN,"node_errors":{"7":{"errors":[]}}}`,
    );
    expect(await comfyUi.submitPrompt(endpoint, '{}')).toEqual({ kind: 'accepted', droppedNodes: ['7'] });
  });

  test('a refusal is one line that names the node', async () => {
    const error = {
      type: 'prompt_outputs_failed_validation',
      message: 'Prompt outputs failed validation',
      details: '',
      extra_info: {},
    };
    const errors = [
      {
        type: 'value_not_in_list',
        message: 'Value not in list',
        details: "ckpt_name: 'missing.safetensors' not in ['a.safetensors']",
        extra_info: {},
      },
    ];
    const node_errors = { '4': { class_type: 'CheckpointLoaderSimple', errors, dependent_outputs: ['9'] } };
    const endpoint = await answering(400, JSON.stringify({ error, node_errors }));
    expect(await comfyUi.submitPrompt(endpoint, '{}')).toEqual({
      kind: 'rejected',
      message:
        "Prompt outputs failed validation: CheckpointLoaderSimple (node 4): Value not in list: ckpt_name: 'missing.safetensors' not in ['a.safetensors']",
      nodeId: '4',
      nodeType: 'CheckpointLoaderSimple',
    });
  });

  test('a refusal of any length and any characters stays one short line', async () => {
    const errors = [{ type: 'x', message: 'line\nnext\u0007', details: '🎨'.repeat(3000) }];
    const endpoint = await answering(
      400,
      JSON.stringify({ error: { message: 'no' }, node_errors: { __proto__x: { class_type: 'A', errors } } }),
    );
    const answer = await comfyUi.submitPrompt(endpoint, '{}');
    if (answer.kind !== 'rejected') throw new Error(answer.kind);
    expect(answer.message.length).toBeLessThanOrEqual(1000);
    expect(answer.message).not.toMatch(/\p{Cc}|\p{Cs}…$/u);
  });

  test('later releases name the node in extra_info', async () => {
    const error = {
      type: 'missing_node_type',
      message: 'Node type is missing',
      details: "Node ID '#4'",
      extra_info: { node_id: '4', class_type: 'Nobody' },
    };
    const endpoint = await answering(400, JSON.stringify({ error, node_errors: {} }));
    expect(await comfyUi.submitPrompt(endpoint, '{}')).toEqual({
      kind: 'rejected',
      message: "Node type is missing: Node ID '#4'",
      nodeId: '4',
      nodeType: 'Nobody',
    });
  });

  test.each([
    [400, '<html>', 'rejected'],
    [413, 'too large', 'rejected'],
    [422, '{}', 'rejected'],
    [200, '<html>not ComfyUI</html>', 'unknown'],
    [200, '', 'unknown'],
    [204, '', 'unknown'],
    [302, '', 'unknown'],
    [500, 'Internal Server Error', 'unknown'],
    [502, '', 'unknown'],
    [404, 'pod not found', 'unreachable'],
    [429, '', 'unreachable'],
  ] as const)('HTTP %i with %j is %s', async (status, body, kind) => {
    const endpoint = await answering(
      status,
      body,
      status === 302 ? { location: 'http://169.254.169.254/' } : {},
    );
    expect((await comfyUi.submitPrompt(endpoint, '{}')).kind).toBe(kind);
  });

  test('an unknown outcome keeps the status it was answered with', async () => {
    expect(await comfyUi.submitPrompt(await answering(500, ''), '{}')).toEqual({
      kind: 'unknown',
      message: 'the worker answered HTTP 500',
      httpStatus: 500,
    });
  });

  test('a refused connection and an unknown name are certain: nothing was queued', async () => {
    for (const endpoint of [await closedEndpoint(), 'http://nobody.invalid:8188']) {
      const answer = await comfyUi.submitPrompt(endpoint, '{}');
      expect(answer.kind).toBe('unreachable');
      expect(JSON.stringify(answer)).not.toMatch(/127\.0\.0\.1|invalid/);
    }
  });

  test('a reset or a silence after sending is uncertain', async () => {
    const reset = await listen((request) => request.socket.resetAndDestroy());
    const silent = await listen((request) => void request.resume());
    expect((await comfyUi.submitPrompt(reset, '{}')).kind).toBe('unknown');
    expect(await impatient.submitPrompt(silent, '{}')).toEqual({
      kind: 'unknown',
      message: 'the worker does not answer within 60 ms',
    });
  });
});

describe('addresses', () => {
  test('a literal address is checked before anything is sent', async () => {
    let requests = 0;
    const endpoint = await listen((_request, response) => {
      requests += 1;
      response.end('{}');
    });
    const strict = createComfyUi({ addressPolicy: 'private', clock, timeoutMs: 2000 });
    const message = 'the address policy does not allow this worker';
    expect(await strict.submitPrompt(endpoint, '{}')).toEqual({ kind: 'unreachable', message });
    expect(await strict.history(endpoint, PROMPT_ID)).toEqual({ kind: 'unreachable', message });
    expect(await strict.fetchFile(endpoint, file)).toEqual({ kind: 'unreachable', message });
    expect(await strict.findPrompt(endpoint, PROMPT_ID)).toBe('unreachable');
    expect(requests).toBe(0);
  });

  test('a name is checked by what it resolves to', async () => {
    let requests = 0;
    const endpoint = await listen((_request, response) => {
      requests += 1;
      response.end('{}');
    });
    const named = endpoint.replace('127.0.0.1', 'localhost');
    const strict = createComfyUi({ addressPolicy: 'public', clock, timeoutMs: 2000 });
    expect((await strict.history(named, PROMPT_ID)).kind).toBe('unreachable');
    expect(requests).toBe(0);
    expect((await comfyUi.history(named, PROMPT_ID)).kind).toBe('absent');
    expect(requests).toBe(1);
  });

  test('a redirect is not followed', async () => {
    let followed = 0;
    const elsewhere = await listen((_request, response) => {
      followed += 1;
      response.end('{}');
    });
    const endpoint = await answering(302, '', { location: `${elsewhere}/` });
    expect((await comfyUi.history(endpoint, PROMPT_ID)).kind).toBe('unreachable');
    expect((await comfyUi.fetchFile(endpoint, file)).kind).toBe('unfetchable');
    expect(followed).toBe(0);
  });
});

describe('history', () => {
  test('finds the entry, and reads what Python writes', async () => {
    const endpoint = await answering(
      200,
      `{"${PROMPT_ID}":{"outputs":{"9":{"images":[{"filename":"a.png","x":NaN}]}},"status":null}}`,
    );
    expect(await comfyUi.history(endpoint, PROMPT_ID)).toMatchObject({
      kind: 'found',
      entry: { outputs: { '9': { images: [{ filename: 'a.png' }] } } },
    });
  });

  test.each(['{}', '{"other":{}}', '[]', 'null'])('%s is absent', async (body) => {
    expect((await comfyUi.history(await answering(200, body), PROMPT_ID)).kind).toBe('absent');
  });

  test.each([
    ['a page', 200, '<html>', {}],
    ['a compressed answer', 200, gzipSync('{}'), { 'content-encoding': 'gzip' }],
    ['half an answer', 200, '{"a":', {}],
    ['an error', 500, '{}', {}],
    ['a missing route', 404, '{}', {}],
  ] as const)('%s is unreachable', async (_name, status, body, headers) => {
    expect((await comfyUi.history(await answering(status, body, headers), PROMPT_ID)).kind).toBe(
      'unreachable',
    );
  });

  test('an answer without end is given up', async () => {
    const endpoint = await listen((_request, response) => {
      const timer = setInterval(() => response.write(' '), 5);
      response.once('close', () => clearInterval(timer));
    });
    expect((await impatient.history(endpoint, PROMPT_ID)).kind).toBe('unreachable');
  });

  test('an answer without measure is given up', async () => {
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    const endpoint = await listen((_request, response) => {
      const pump = (): void => {
        if (!response.destroyed) response.write(chunk, pump);
      };
      pump();
    });
    expect(await createComfyUi({ addressPolicy: 'any', clock }).history(endpoint, PROMPT_ID)).toEqual({
      kind: 'unreachable',
      message: `the answer is longer than ${32 * 1024 * 1024} bytes`,
    });
  });
});

describe('findPrompt', () => {
  const item = [0, PROMPT_ID, {}, {}, []];
  const inQueue = { queue_running: [], queue_pending: [item] };
  const atWork = { queue_running: [item], queue_pending: [] };
  const empty = { queue_running: [], queue_pending: [] };
  const historyPath = `/history/${PROMPT_ID}`;
  const entry = { [PROMPT_ID]: { outputs: {}, status: null } };

  test.each([
    ['pending', [inQueue], [{}]],
    ['running', [atWork], [{}]],
    ['finished', [empty], [entry]],
    ['absent', [empty], [{}]],
    ['running', [empty, atWork], [{}]],
    ['finished', [empty, empty], [{}, entry]],
    ['unreachable', ['nonsense'], [{}]],
  ])('%s', async (expected, queues, histories) => {
    const { endpoint } = await scripted({ '/queue': [...queues], [historyPath]: [...histories] });
    expect(await comfyUi.findPrompt(endpoint, PROMPT_ID)).toBe(expected);
  });

  test('a worker that is gone is unreachable, never absent', async () => {
    expect(await comfyUi.findPrompt(await closedEndpoint(), PROMPT_ID)).toBe('unreachable');
  });
});

describe('fetchFile', () => {
  test('streams the bytes with their length and ETag, and asks for no preview', async () => {
    const content = Buffer.alloc(300_000, 7);
    const seen: string[] = [];
    const endpoint = await listen((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(200, { etag: '"abc-1"', 'content-length': content.length }).end(content);
    });
    const names = { filename: 'ünï &=+#?.png', subfolder: 'a b/世界', type: 'output' };
    const found = await comfyUi.fetchFile(`${endpoint}/pod/1`, { ...file, ...names });
    if (found.kind !== 'found') throw new Error(found.kind);
    expect(found).toMatchObject({ length: 300_000, etag: '"abc-1"' });
    expect((await buffer(found.body)).equals(content)).toBe(true);
    const url = new URL(seen[0] ?? '', endpoint);
    expect(url.pathname).toBe('/pod/1/view');
    expect(Object.fromEntries(url.searchParams)).toEqual(names);
    expect(seen[0]).not.toContain('+');
  });

  test.each(['\u0000', 'x\r\nSet-Cookie: a=b', '\ud800', '\u202e', '%2e%2e'])(
    'the name %j stays inside its parameter',
    async (filename) => {
      const seen: string[] = [];
      const endpoint = await listen((request, response) => {
        seen.push(request.url ?? '');
        response.writeHead(404).end();
      });
      expect((await comfyUi.fetchFile(endpoint, { ...file, filename })).kind).toBe('missing');
      expect([...new URL(seen[0] ?? '', endpoint).searchParams.keys()]).toEqual([
        'filename',
        'subfolder',
        'type',
      ]);
    },
  );

  test.each([
    [404, 'missing'],
    [500, 'missing'],
    [400, 'unfetchable'],
    [403, 'unfetchable'],
    [204, 'unfetchable'],
    [206, 'unfetchable'],
    [226, 'unfetchable'],
    [301, 'unfetchable'],
    [304, 'unfetchable'],
    [501, 'unfetchable'],
    [502, 'unreachable'],
    [503, 'unreachable'],
    [401, 'unreachable'],
    [429, 'unreachable'],
  ] as const)('HTTP %i is %s', async (status, kind) => {
    expect((await comfyUi.fetchFile(await answering(status, ''), file)).kind).toBe(kind);
  });

  test('a compressed file is unfetchable: it could unfold into any size', async () => {
    const endpoint = await answering(200, gzipSync('x'), { 'content-encoding': 'gzip' });
    expect((await comfyUi.fetchFile(endpoint, file)).kind).toBe('unfetchable');
  });

  test('a body that is cut, or stops, fails its reader', async () => {
    const cut = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('half', () => response.destroy());
    });
    const stops = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('half');
    });
    for (const endpoint of [cut, stops]) {
      const found = await impatient.fetchFile(endpoint, file);
      if (found.kind !== 'found') throw new Error(found.kind);
      await expect(buffer(found.body)).rejects.toThrow();
    }
  });

  describe('beyond its limits', () => {
    const limited = (maxBytes: number, deadlineMs: number) =>
      createComfyUi({
        addressPolicy: 'any',
        clock,
        timeoutMs: 2000,
        fileLimits: { maxBytes, deadlineMs },
      });

    test('a file that says so is unfetchable, and one just within is not', async () => {
      const endpoint = await answering(200, 'abc', { 'content-length': '3' });
      expect(await limited(2, 60_000).fetchFile(endpoint, file)).toEqual({
        kind: 'unfetchable',
        message: 'the file is larger than 2 bytes',
      });
      const found = await limited(3, 60_000).fetchFile(endpoint, file);
      if (found.kind !== 'found') throw new Error(found.kind);
      expect((await buffer(found.body)).toString()).toBe('abc');
    });

    test('a file without end is cut at its size, or at its deadline, and the connection with it', async () => {
      for (const [comfy, message] of [
        [limited(100_000, 60_000), 'the file is larger than 100000 bytes'],
        [limited(2 ** 40, 50), 'the file did not arrive within 50 ms'],
      ] as const) {
        let close: () => void = () => undefined;
        const closed = new Promise<void>((resolve) => {
          close = resolve;
        });
        const endpoint = await listen((_request, response) => {
          const timer = setInterval(() => response.write(Buffer.alloc(16_384)), 5);
          response.once('close', () => {
            clearInterval(timer);
            close();
          });
        });
        const found = await comfy.fetchFile(endpoint, file);
        if (found.kind !== 'found') throw new Error(found.kind);
        await expect(buffer(found.body)).rejects.toMatchObject({ code: 'file.refused', message });
        await closed;
      }
    });

    test('the deadline is ten minutes of the injected clock, and ends with the body', async () => {
      const waits: { ms: number; signal: AbortSignal | undefined; ring: () => void }[] = [];
      const clockOf = {
        now: () => clock.now(),
        sleep: (ms: number, signal?: AbortSignal) =>
          new Promise<void>((resolve, reject) => {
            waits.push({ ms, signal, ring: resolve });
            signal?.addEventListener('abort', () => reject(new Error('aborted')));
          }),
      };
      const endpoint = await answering(200, 'abc');
      const comfy = createComfyUi({ addressPolicy: 'any', clock: clockOf, timeoutMs: 2000 });
      const late = await comfy.fetchFile(endpoint, file);
      const wait = waits.find(({ ms }) => ms === 600_000);
      if (late.kind !== 'found' || wait === undefined) throw new Error(late.kind);
      wait.ring();
      await expect(once(late.body, 'close')).rejects.toMatchObject({ code: 'file.refused' });
      waits.length = 0;
      const whole = await comfy.fetchFile(endpoint, file);
      if (whole.kind !== 'found') throw new Error(whole.kind);
      await buffer(whole.body);
      expect(waits.find(({ ms }) => ms === 600_000)?.signal?.aborted).toBe(true);
    });
  });

  test('a body without a length is still a body', async () => {
    const endpoint = await listen((_request, response) => {
      response.write('a');
      response.end('b');
    });
    const found = await comfyUi.fetchFile(endpoint, file);
    if (found.kind !== 'found') throw new Error(found.kind);
    expect(found.length).toBeUndefined();
    expect((await buffer(found.body)).toString()).toBe('ab');
  });
});
