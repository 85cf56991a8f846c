/** Whatever is thrown at the task API: one line that tells what to do, a status of 4xx, and the next request is served. */
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { apiRoutes, type ApiMethod, type OperationId } from '../shared-types/api-routes.ts';
import { apiCaller, type ApiAnswer, type ApiCaller } from './support/api.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { textToImage, type Workflow } from './support/workflows.ts';

jest.setTimeout(120_000);

let pipeline: Pipeline;
let api: ApiCaller;

beforeAll(async () => {
  pipeline = await startPipeline({ stepDelayMs: 1 });
  api = apiCaller(pipeline.demo.endpoints.apiUrl);
}, 120_000);
afterAll(async () => {
  const { queue } = await api.metrics();
  // Nothing of all this has become a task.
  expect(Object.values(queue).every((count) => count === 0)).toBe(true);
  await pipeline.stop();
}, 60_000);
beforeEach(async () => {
  expect((await api.call('GET', '/tasks?limit=1')).status).toBe(200);
});

/** One line for a person, in JSON, and nothing of our inside. */
const expectRefusal = ({ status, text, body }: ApiAnswer, wanted: number, says: RegExp): void => {
  expect({ status, text }).toEqual({ status: wanted, text: expect.stringMatching(says) });
  // API Gateway's own refusals say `message`.
  const line = body?.['error'] ?? body?.['message'];
  expect(line).toEqual(expect.stringMatching(/^[^\n\r]{3,600}$/));
  expect(text).not.toMatch(/node_modules|\.mjs|\bat .+:\d+/);
};
const submit = (text: string, headers: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> =>
  api.call('POST', '/tasks', { body: text, headers });
const withPayload = (payload: string): string => `{"workflow_id":"rubbish","payload":${payload}}`;
const withWorkflow = (workflow: unknown): string => withPayload(JSON.stringify(workflow));

const METHODS: readonly ApiMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const paths = [...new Set(Object.values(apiRoutes).map(({ path }) => path))];
const wrong = paths.flatMap((path) => {
  const known = (Object.keys(apiRoutes) as OperationId[]).map((name) => apiRoutes[name]);
  return METHODS.filter(
    (method) => !known.some((route) => route.path === path && route.method === method),
  ).map((method) => [method, path] as const);
});

describe('routes', () => {
  test('every method that a path does not have is 405', async () => {
    expect(wrong.length).toBeGreaterThan(50);
    for (const [method, path] of wrong) {
      const options = method === 'GET' ? {} : { body: '{}' };
      const answer = await api.call(method, path.replace('{id}', 'x'), options);
      expectRefusal(answer, 405, new RegExp(method));
    }
  });

  test.each(['/', '/task', '/tasks/x/y', '/tasks//', '/..%2f', '/%00', '/__proto__', '/tasks%0d%0aX-Y:%20z'])(
    '%j is 404',
    async (path) => {
      expectRefusal(await api.call('GET', path), 404, /./);
    },
  );
});

describe('bodies of POST /tasks', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  test.each<[string, string, number, RegExp]>([
    ['nothing', '', 400, /empty/],
    ['spaces', '   ', 400, /empty/],
    ['half of it', '{"workflow_id":"a","payload":{', 400, /JSON/],
    ['null', 'null', 400, /object/],
    ['a list', '[]', 400, /object/],
    ['a number', '1', 400, /object/],
    ['NaN', '{"workflow_id":"a","payload":{"1":NaN}}', 400, /JSON/],
    ['HTML', '<html></html>', 400, /JSON/],
    ['a form', 'workflow_id=a&payload=b', 400, /JSON/],
    ['no workflow', '{"workflow_id":"a"}', 400, /payload/],
    ['no name', withPayload('{}').replace('"workflow_id":"rubbish",', ''), 400, /workflow_id/],
    ['an empty workflow', withPayload('{}'), 400, /empty|no node|at least/i],
    ['a workflow that is a list', withPayload('[]'), 400, /object|API/],
    ['lists in lists in lists', withPayload(`{"1":{"class_type":"X","inputs":{"a":${deep}}}}`), 400, /deep/],
    ['lists all the way down', deep, 400, /deep|object/],
    ['the format of the editor', withPayload('{"nodes":[],"links":[],"version":0.4}'), 400, /UI-format/],
    ['a priority of 11', '{"workflow_id":"a","priority":11,"payload":{}}', 400, /priority/],
    ['a priority of 1e999', '{"workflow_id":"a","priority":1e999,"payload":{}}', 400, /priority/],
    ['a session that climbs', '{"workflow_id":"a","session_id":"../x","payload":{}}', 400, /session_id/],
    [
      'two sources',
      '{"workflow_id":"a","payload_file_id":"0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10","payload":{}}',
      400,
      /not both/,
    ],
    ['a tag of spaces', '{"workflow_id":"a","tags":["a b"],"payload":{}}', 400, /tag/],
    [
      'a callback to a file',
      '{"workflow_id":"a","callback_url":"file:///etc/passwd","payload":{}}',
      400,
      /callback_url/,
    ],
    ['inputs that are a list', '{"workflow_id":"a","inputs":[],"payload":{}}', 400, /inputs/],
  ])('%s', async (_what, text, status, says) => {
    expectRefusal(await submit(text), status, says);
  });

  test.each(['__proto__', 'constructor', 'prototype', 'toString'])(
    '%s is a key as any other',
    async (key) => {
      const node = '{"class_type":"X","inputs":{}}';
      for (const text of [
        withPayload(`{${JSON.stringify(key)}:${node}}`),
        withPayload(`{"1":{"class_type":${JSON.stringify(key)},"inputs":{}}}`),
        withPayload(`{"1":{"class_type":"SaveImage","inputs":{${JSON.stringify(key)}:{"polluted":1}}}}`),
        `{"workflow_id":"a",${JSON.stringify(key)}:{"priority":1}}`,
      ]) {
        expectRefusal(await submit(text), 400, /./);
      }
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );
});

describe('workflows', () => {
  const chain = (count: number, last: string): Workflow =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        String(index),
        { class_type: 'ImageInvert', inputs: { image: [index === 0 ? last : String(index - 1), 0] } },
      ]),
    );
  const changed = (change: (workflow: Workflow) => void): Workflow => {
    const workflow = textToImage();
    change(workflow);
    return workflow;
  };

  test.each<[string, () => unknown, RegExp]>([
    ['a ring of two', () => chain(2, '1'), /cycle|circle|loop/i],
    ['a node that waits for itself', () => chain(1, '0'), /cycle|circle|loop|itself/i],
    ['a ring of 3,000', () => chain(3000, '2999'), /cycle|circle|loop/i],
    ['a link to nowhere', () => changed((each) => (each['9']!.inputs['images'] = ['77', 0])), /77/],
    [
      'a link to an output that is not there',
      () => changed((each) => (each['9']!.inputs['images'] = ['8', 9])),
      /8|9/,
    ],
    [
      'a class that no pod has',
      () => changed((each) => (each['9']!.class_type = 'NoSuchNode')),
      /NoSuchNode/,
    ],
    ['no class', () => changed((each) => Reflect.deleteProperty(each['9']!, 'class_type')), /class_type/],
    ['no output', () => changed((each) => Reflect.deleteProperty(each, '9')), /output/],
    [
      'an input that is missing',
      () => changed((each) => Reflect.deleteProperty(each['3']!.inputs, 'seed')),
      /seed/,
    ],
    ['steps below the least', () => changed((each) => (each['3']!.inputs['steps'] = -1)), /steps/],
    [
      'a sampler that is none',
      () => changed((each) => (each['3']!.inputs['sampler_name'] = 'x\r\nSet-Cookie: a')),
      /sampler_name/,
    ],
    ['a class of a megabyte', () => changed((each) => (each['9']!.class_type = 'X'.repeat(1_000_000))), /./],
  ])('%s', async (_what, workflow, says) => {
    expectRefusal(await submit(withWorkflow(workflow())), 400, says);
  });
});

describe('encodings', () => {
  test.each([5, 7, 11])('%d MB, plain', async (megabytes) => {
    const text = withWorkflow({ '1': { class_type: 'X', inputs: { text: 'x'.repeat(megabytes * 1e6) } } });
    expectRefusal(await submit(text), 413, /larger than 4 MB; send it .* gzip, or upload .* payload_file_id/);
  });

  test('11 MB, compressed to no less', async () => {
    const answer = await api.call('POST', '/tasks', {
      body: new Uint8Array(randomBytes(11_000_000)),
      headers: { 'content-encoding': 'gzip' },
    });
    expectRefusal(answer, 413, /compressed body is larger than 4 MB; upload .* payload_file_id/);
  });

  test.each<[string, () => Uint8Array, Record<string, string>, number, RegExp]>([
    ['a gzip bomb', () => gzipSync(Buffer.alloc(300_000_000)), { 'content-encoding': 'gzip' }, 413, /10 MB/],
    ['gzip that is none', () => Buffer.from('{}'), { 'content-encoding': 'gzip' }, 400, /gzip/],
    [
      'gzip cut short',
      () => gzipSync('{"a":1}').subarray(0, 12),
      { 'content-encoding': 'gzip' },
      400,
      /gzip/,
    ],
    [
      'an encoding that nobody knows',
      () => Buffer.from('{}'),
      { 'content-encoding': 'zstd' },
      400,
      /Encoding/,
    ],
    [
      'what is no UTF-8',
      () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
      { 'content-type': 'application/octet-stream' },
      400,
      /UTF-8/,
    ],
  ])('%s', async (_what, bytes, headers, status, says) => {
    const body = new Uint8Array(bytes());
    expectRefusal(await api.call('POST', '/tasks', { body, headers }), status, says);
  });

  test.each(['text/plain', 'multipart/form-data; boundary=x', 'application/xml', 'x'])(
    'a content type of %j changes nothing: the body counts',
    async (type) => {
      expectRefusal(await submit('<a/>', { 'content-type': type }), 400, /JSON/);
    },
  );

  test.each(['x'.repeat(256), 'ünï', ' '])('an Idempotency-Key of %j', async (key) => {
    const headers = { 'idempotency-key': encodeURIComponent(key) === key ? key : 'a\tb' };
    expectRefusal(await submit(withWorkflow(textToImage()), headers), 400, /Idempotency-Key/);
  });
});

/** What `fetch` would not send. */
describe('the wire', () => {
  const send = async (text: string, isEnded = (_answer: string): boolean => false): Promise<string> => {
    const { hostname, port } = new URL(pipeline.demo.endpoints.apiUrl);
    const socket = net.connect(Number(port), hostname);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      if (isEnded(answer)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.write(text);
    await once(socket, 'close');
    return answer;
  };
  const head = 'POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';

  test('chunks that are none', async () => {
    const answer = await send(`${head}transfer-encoding: chunked\r\n\r\nrubbish\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test('a body that ends before its length is no task', async () => {
    const { hostname, port } = new URL(pipeline.demo.endpoints.apiUrl);
    const socket = net.connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.end(`${head}content-length: 1000\r\n\r\n${withWorkflow(textToImage()).slice(0, 500)}`);
    socket.resume();
    await once(socket, 'close');
  });

  test('two lengths', async () => {
    const answer = await send(`${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test('headers without end', async () => {
    const answer = await send(`${head}x-long: ${'x'.repeat(100_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
});

describe('bodies of the other routes', () => {
  const withBody = (Object.keys(apiRoutes) as OperationId[]).filter(
    (name) => 'request' in apiRoutes[name] && name !== 'submitTask',
  );
  const rubbish = ['null', '[]', '1', '"x"', '{', '{"__proto__":{"a":1}}', '\u0000', '<a/>'];
  test.each(withBody)('%s', async (name) => {
    for (const body of rubbish) {
      const answer = await api.operation(name, 'x', { body });
      // Nothing but `scope` may be left out there, and it has a default.
      const isHarmless = /^(pause|resume)Queue$/.test(name) && body.startsWith('{"');
      if (isHarmless) expect(answer.status).toBe(200);
      else expectRefusal(answer, name === 'changeTask' ? 404 : 400, /./);
    }
    await api.operation('resumeQueue');
  });
});
