import { existsSync } from 'node:fs';
import path from 'node:path';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { until } from './test-support/recording-player.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';
import { connect, finished, flatImage, post, submit } from './test-support/test-client.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

let pod: SimulatedComfyUi;

beforeAll(async () => {
  pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
});

afterAll(() => pod.close());

async function stillWell(): Promise<void> {
  const entry = await finished(pod, await submit(pod, flatImage(Math.floor(Math.random() * 1e6))));
  expect(entry.status.status_str).toBe('success');
}

const text = (source: unknown): object => ({ class_type: 'PreviewAny', inputs: { source } });

test.each<[string, string, number]>([
  [
    'a node called __proto__',
    '{"prompt":{"__proto__":{"class_type":"PreviewAny","inputs":{"source":"x"}}}}',
    200,
  ],
  [
    'a node called constructor',
    '{"prompt":{"constructor":{"class_type":"PreviewAny","inputs":{"source":"x"}}}}',
    200,
  ],
  [
    'an input called __proto__',
    '{"prompt":{"1":{"class_type":"PreviewAny","inputs":{"__proto__":{"polluted":1},"source":"x"}}}}',
    200,
  ],
  [
    'a link to Object.prototype',
    '{"prompt":{"1":{"class_type":"PreviewAny","inputs":{"source":["toString",0]}}}}',
    400,
  ],
  ['a node that is a number', '{"prompt":{"1":5}}', 400],
  ['a node without inputs', '{"prompt":{"1":{"class_type":"PreviewAny"}}}', 400],
  ['inputs that are a list', '{"prompt":{"1":{"class_type":"PreviewAny","inputs":[1]}}}', 400],
  ['a class name in another script', '{"prompt":{"1":{"class_type":"世界‮","inputs":{}}}}', 400],
  ['a link with one part', '{"prompt":{"1":{"class_type":"PreviewAny","inputs":{"source":["2"]}}}}', 400],
  [
    'a link with a negative slot',
    '{"prompt":{"1":{"class_type":"PreviewAny","inputs":{"source":["1",-1]}}}}',
    400,
  ],
  ['extra_data that is a list', '{"prompt":{},"extra_data":[]}', 500],
  ['a number that is none', '{"prompt":{},"number":"abc"}', 500],
  ['a lone surrogate', '{"prompt":{"1":{"class_type":"PreviewAny","inputs":{"source":"\\ud800"}}}}', 200],
  [
    'duplicate keys',
    '{"prompt":{"1":{"class_type":"PreviewAny","class_type":"PreviewAny","inputs":{"source":"x"}}}}',
    200,
  ],
  [
    'a huge number',
    '{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":1e309}},"2":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"x"}}}}',
    400,
  ],
])('%s', async (_name, body, status) => {
  const reply = await post(pod, '/prompt', body);
  expect(reply.status).toBe(status);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  await stillWell();
});

test('a class name of a megabyte is refused', async () => {
  const reply = await post(pod, '/prompt', { prompt: { '1': { class_type: 'x'.repeat(1_000_000) } } });
  expect(reply.status).toBe(400);
});

test('a cycle is refused', async () => {
  const invert = (from: string): object => ({ class_type: 'ImageInvert', inputs: { image: [from, 0] } });
  const prompt = {
    '1': invert('2'),
    '2': invert('1'),
    '3': { class_type: 'SaveImage', inputs: { filename_prefix: 'x', images: ['1', 0] } },
  };
  expect((await post(pod, '/prompt', { prompt })).status).toBe(400);
  await stillWell();
});

test('a loose cycle beside a sound output does no harm', async () => {
  const invert = (from: string): object => ({ class_type: 'ImageInvert', inputs: { image: [from, 0] } });
  const entry = await finished(
    pod,
    await submit(pod, { '1': invert('2'), '2': invert('1'), '3': text('ok') }),
  );
  expect(entry.outputs['3']).toEqual({ text: ['ok'] });
});

test('a thousand outputs run, and five thousand nodes in a chain are refused or run, but never crash', async () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [String(i), text(`n${i}`)]));
  const entry = await finished(pod, await submit(pod, many, { client_id: 'nobody-listens' }));
  expect(Object.keys(entry.outputs)).toHaveLength(1000);
  const chain: Record<string, unknown> = { '0': { class_type: 'DemoSleep', inputs: { seconds: 0 } } };
  for (let i = 1; i < 5000; i++)
    chain[i] = { class_type: 'DemoSleep', inputs: { seconds: 0, value: [String(i - 1), 0] } };
  chain['out'] = text(['4999', 0]);
  expect((await post(pod, '/prompt', { prompt: chain })).status).toBe(400);
  await stillWell();
});

test.each(['../x', '/etc/x', 'a/../../x', '..\\..\\x', 'x\0y'])(
  'a filename prefix that leads out fails the job and writes nothing: %j',
  async (prefix) => {
    const entry = await finished(pod, await submit(pod, flatImage(3, prefix)));
    expect(entry.status.messages.at(-1)![0]).toBe('execution_error');
    expect(existsSync(path.resolve(pod.outputDir, '../x_00001_.png'))).toBe(false);
  },
);

test.each(['we"ird', 'ünï 世界', '%date%', 'x.', '‮x', '...'])(
  'a strange prefix gives a file that can be fetched: %j',
  async (prefix) => {
    const entry = await finished(pod, await submit(pod, flatImage(4, prefix)));
    const image = entry.outputs['2']!['images']![0] as { filename: string; subfolder: string };
    const query = new URLSearchParams({ filename: image.filename, subfolder: image.subfolder });
    const reply = await fetch(`${pod.url}/view?${query.toString()}`);
    // Two dots anywhere in a name make it unfetchable, in the real thing too.
    expect(reply.status).toBe(image.filename.includes('..') ? 400 : 200);
  },
);

test('strange frames from a client leave its socket and the pod alive', async () => {
  const me = await connect(pod, 'odd');
  const frames = [
    '{',
    'null',
    '[]',
    '{"type":"feature_flags"}',
    '{"type":"feature_flags","data":[]}',
    '['.repeat(50_000),
  ];
  for (const frame of frames) me.socket.send(frame);
  for (const bytes of [0, 1, 7]) me.socket.send(Buffer.alloc(bytes));
  await stillWell();
  await until(() => me.types().filter((type) => type === 'status').length >= 3, 'frames after the odd ones');
  me.socket.terminate();
});

test('a frame above 4 MiB ends that socket only', async () => {
  const me = await connect(pod, 'big');
  me.socket.send('x'.repeat(5 * 1024 * 1024));
  await until(() => me.closeCode() !== undefined, 'the socket to end');
  await stillWell();
});

test.each([
  ['a broken request line', 'GARBAGE\r\n\r\n'],
  ['a target that is no path', 'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    'a length that lies, then a lost connection',
    'POST /prompt HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{',
  ],
])('%s', async (_name, bytes) => {
  const socket = connectTcp(pod.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  socket.end();
  await stillWell();
  socket.destroy();
});

test.each<[string, Record<string, unknown>]>([
  [
    'an image',
    { '1': { class_type: 'EmptyImage', inputs: { width: 16384, height: 16384, batch_size: 9, color: 0 } } },
  ],
  [
    'a scaled image',
    {
      '0': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 9, color: 0 } },
      '1': {
        class_type: 'ImageScale',
        inputs: {
          image: ['0', 0],
          upscale_method: 'bilinear',
          width: 16384,
          height: 16384,
          crop: 'disabled',
        },
      },
    },
  ],
])('%s that would not fit in memory fails the job, not the pod', async (_name, prompt) => {
  const save = { class_type: 'SaveImage', inputs: { filename_prefix: 'huge', images: ['1', 0] } };
  const entry = await finished(pod, await submit(pod, { ...prompt, '2': save }));
  expect(entry.status.messages.at(-1)![1]['exception_type']).toBe('torch.OutOfMemoryError');
  await stillWell();
});
