import { rmSync } from 'node:fs';
import path from 'node:path';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { until } from './test-support/recording-player.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';
import { connect, finished, flatImage, post, sampling, submit } from './test-support/test-client.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

let pod: SimulatedComfyUi;

beforeEach(async () => {
  pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
});

afterEach(() => pod.close());

function get(target: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(pod.url + target, { headers });
}

describe('POST /prompt', () => {
  test.each(['', '{', '[]', 'null', '"x"', '{"prompt":[]}', '{"prompt":"x"}', '['.repeat(100_000)])(
    'answers a body that is no prompt with 500 in plain text: %.20s',
    async (body) => {
      const reply = await post(pod, '/prompt', body);
      expect(reply.status).toBe(500);
      expect(reply.headers.get('content-type')).toMatch(/^text\/plain/);
    },
  );

  test('makes the id None out of null, takes any other, and gives a UUID without one', async () => {
    expect(await submit(pod, flatImage(1), { prompt_id: null })).toBe('None');
    expect(await submit(pod, flatImage(1), { prompt_id: 'mine' })).toBe('mine');
    expect(await submit(pod, flatImage(1))).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('keeps every digit of a seed in the queue, the history and the PNG', async () => {
    const body = JSON.stringify({ prompt: sampling(777), prompt_id: 'big' }).replace(
      '777',
      '18446744073709551615',
    );
    await post(pod, '/prompt', body);
    await finished(pod, 'big');
    expect(await (await get('/history/big')).text()).toContain('"seed": 18446744073709551615');
    const png = await (await get('/view?filename=ComfyUI_00001_.png')).arrayBuffer();
    expect(Buffer.from(png).includes('"seed": 18446744073709551615')).toBe(true);
  });

  test('puts a prompt to the front with a negative number, and honours a number', async () => {
    pod.killWorkerThread();
    await submit(pod, flatImage(1), { prompt_id: 'first' });
    await submit(pod, flatImage(2), { prompt_id: 'front', front: true });
    await submit(pod, flatImage(3), { prompt_id: 'middle', number: -0.5 });
    expect(pod.queue().queue_pending.map((item) => [item[0], item[1]])).toEqual([
      [-1, 'front'],
      [-0.5, 'middle'],
      [0, 'first'],
    ]);
  });

  test('answers 500 to the same number and id twice, and yet queues both', async () => {
    pod.killWorkerThread();
    const body = { prompt: flatImage(1), prompt_id: 'twin', number: 4 };
    expect((await post(pod, '/prompt', body)).status).toBe(200);
    expect((await post(pod, '/prompt', body)).status).toBe(500);
    expect(pod.queue().queue_pending).toHaveLength(2);
  });

  test('runs only the outputs asked for', async () => {
    const prompt = { ...flatImage(1), '3': { class_type: 'PreviewAny', inputs: { source: 'x' } } };
    const entry = await finished(pod, await submit(pod, prompt, { partial_execution_targets: ['3'] }));
    expect(Object.keys(entry.outputs)).toEqual(['3']);
  });

  test('refuses numbers out of range and of the wrong type', async () => {
    const prompt = flatImage(1) as Record<string, { inputs: Record<string, unknown> }>;
    prompt['1']!.inputs['width'] = 0;
    prompt['1']!.inputs['height'] = 99_999;
    prompt['1']!.inputs['color'] = 'red';
    const reply = (await (await post(pod, '/prompt', { prompt })).json()) as {
      node_errors: Record<string, { errors: Array<{ type: string }> }>;
    };
    expect(reply.node_errors['1']!.errors.map((error) => error.type)).toEqual([
      'value_smaller_than_min',
      'value_bigger_than_max',
      'invalid_input_type',
    ]);
  });
});

describe('GET /view', () => {
  beforeEach(async () => {
    await finished(pod, await submit(pod, flatImage(1, 'a/b/flat')));
  });
  const file = '/api/view?filename=flat_00001_.png&subfolder=a/b&type=output';

  test('gives the bytes with validators, and 304 for what is known', async () => {
    const reply = await get(file);
    expect(reply.status).toBe(200);
    const etag = reply.headers.get('etag')!;
    expect((await get(file, { 'If-None-Match': etag })).status).toBe(304);
    expect((await get(file, { 'If-Modified-Since': reply.headers.get('last-modified')! })).status).toBe(304);
    expect((await get(file, { 'If-None-Match': '"other"' })).status).toBe(200);
  });

  test('serves parts, and 416 beyond the end', async () => {
    const whole = Buffer.from(await (await get(file)).arrayBuffer());
    const part = await get(file, { Range: 'bytes=2-5' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 2-5/${whole.length}`);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(whole.subarray(2, 6));
    const tail = await get(file, { Range: 'bytes=-3' });
    expect(Buffer.from(await tail.arrayBuffer())).toEqual(whole.subarray(-3));
    expect((await get(file, { Range: 'bytes=999999-' })).status).toBe(416);
  });

  test('answers HEAD with the length and no body', async () => {
    const reply = await fetch(pod.url + file, { method: 'HEAD' });
    expect(Number(reply.headers.get('content-length'))).toBeGreaterThan(50);
    expect(await reply.text()).toBe('');
  });

  test.each([
    ['filename=/etc/passwd', 400],
    ['filename=..%2Fx', 400],
    ['filename=a..b.png', 400],
    ['filename=flat_00001_.png&subfolder=a/b&type=elsewhere', 400],
    ['filename=x.png&subfolder=../..', 403],
    ['filename=x.png&subfolder=/etc', 403],
    ['filename=', 404],
    ['subfolder=a/b', 404],
    ['filename=missing.png', 404],
    ['filename=%00', 404],
    ['filename=C:%5Cx', 404],
    [`filename=${'x'.repeat(300)}`, 404],
    ['filename=a&subfolder=%00', 404],
    ['filename=flat_00001_.png [output]&subfolder=a/b', 200],
    ['filename=deep/flat_00001_.png&subfolder=a/b', 200],
  ])('%s -> %i', async (query, status) => {
    expect((await get(`/view?${query}`)).status).toBe(status);
  });

  test('is 404 when the file was removed, even though a cached run names it again', async () => {
    rmSync(path.join(pod.outputDir, 'a/b/flat_00001_.png'));
    const entry = await finished(pod, await submit(pod, flatImage(1, 'a/b/flat')));
    expect(entry.outputs['2']!['images']).toEqual([
      { filename: 'flat_00001_.png', subfolder: 'a/b', type: 'output' },
    ]);
    expect((await get(file)).status).toBe(404);
  });
});

describe('POST /upload/image', () => {
  async function upload(name: string, bytes: string, fields: Record<string, string> = {}): Promise<Response> {
    const form = new FormData();
    form.set('image', new Blob([bytes]), name);
    for (const [key, value] of Object.entries(fields)) form.set(key, value);
    return fetch(`${pod.url}/upload/image`, { method: 'POST', body: form });
  }

  test('keeps the name for the same bytes and finds another for other bytes', async () => {
    expect(await (await upload('u.png', 'one')).json()).toEqual({
      name: 'u.png',
      subfolder: '',
      type: 'input',
    });
    expect(await (await upload('u.png', 'one')).json()).toMatchObject({ name: 'u.png' });
    expect(await (await upload('u.png', 'two')).json()).toMatchObject({ name: 'u (1).png' });
    expect(await (await upload('u.png', 'six', { overwrite: 'true' })).json()).toMatchObject({
      name: 'u.png',
    });
    const seen = await get('/view?filename=u.png&type=input');
    expect(await seen.text()).toBe('six');
    const info = JSON.stringify(await (await get('/object_info/LoadImage')).json());
    expect(info).toContain('u (1).png');
  });

  test('refuses to leave the folder, and unknown types', async () => {
    expect((await upload('x.png', 'x', { subfolder: '../..' })).status).toBe(400);
    expect((await upload('../x.png', 'x')).status).toBe(400);
    expect((await upload('x.png', 'x', { type: 'elsewhere' })).status).toBe(500);
    expect((await post(pod, '/upload/image', 'no form')).status).toBe(500);
  });
});

test('interrupt with the id of another prompt changes nothing, without an id it stops what runs', async () => {
  const sleeper = {
    '1': { class_type: 'DemoSteps', inputs: { steps: 500, delay: 0.005, seed: 1, preview: false } },
    '2': { class_type: 'ProbeOut', inputs: { v: ['1', 0] } },
  };
  const me = await connect(pod, 'me');
  const id = await submit(pod, sleeper);
  await until(() => me.types().includes('progress'), 'the first step');
  await post(pod, '/interrupt', { prompt_id: 'another' });
  const seen = me.frames.length;
  await until(() => me.frames.length > seen + 2, 'more steps');
  await post(pod, '/interrupt', '');
  const entry = await finished(pod, id);
  expect(entry.status.messages.at(-1)![0]).toBe('execution_interrupted');
});

test('history can be paged, forgotten one by one, and cleared', async () => {
  for (const id of ['a', 'b', 'c']) await finished(pod, await submit(pod, flatImage(1), { prompt_id: id }));
  expect(Object.keys((await (await get('/history?max_items=2')).json()) as object)).toEqual(['b', 'c']);
  expect(Object.keys((await (await get('/history?max_items=1&offset=0')).json()) as object)).toEqual(['a']);
  expect((await get('/history?max_items=abc')).status).toBe(500);
  await post(pod, '/history', { delete: ['a', 'unknown'] });
  expect(Object.keys(pod.history())).toEqual(['b', 'c']);
  await post(pod, '/history', { clear: true });
  expect(pod.history()).toEqual({});
});

test.each(['/prompt', '/queue', '/history', '/system_stats', '/features', '/users', '/object_info'])(
  '%s also answers under /api',
  async (target) => {
    const [plain, prefixed] = await Promise.all([get(target), get(`/api${target}`)]);
    expect([plain.status, prefixed.status]).toEqual([200, 200]);
    expect(prefixed.headers.get('content-type')).toBe('application/json; charset=utf-8');
  },
);

test('unknown paths are 404, unknown classes and ids are empty objects', async () => {
  expect((await get('/jobs')).status).toBe(404);
  expect((await get('/api/jobs/1')).status).toBe(404);
  expect(await (await get('/object_info/NoSuchNode')).json()).toEqual({});
  expect(await (await get('/history/unknown')).json()).toEqual({});
  expect((await get('/history/%E0%A4%A')).status).toBe(400);
});

test('a page of another origin is turned away, a request without one is not', async () => {
  const status = (origin: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request(`${pod.url}/prompt`, { headers: { Origin: origin } }, (reply) => {
        reply.resume().once('end', () => resolve(reply.statusCode));
      });
      sent.once('error', reject).end();
    });
  expect(await status('http://evil.example')).toBe(403);
  expect(await status(pod.url)).toBe(200);
  expect((await get('/prompt')).status).toBe(200);
});
