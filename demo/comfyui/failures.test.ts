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

describe('a crash', () => {
  test('ends sockets with 1006, refuses connections, and a restart remembers nothing but the files', async () => {
    await finished(pod, await submit(pod, flatImage(1)));
    const me = await connect(pod, 'me');
    await pod.crash();
    await until(() => me.closeCode() !== undefined, 'the socket to end');
    expect(me.closeCode()).toBe(1006);
    await expect(fetch(`${pod.url}/prompt`)).rejects.toThrow();

    await pod.restart();
    expect(pod.history()).toEqual({});
    const again = await finished(pod, await submit(pod, flatImage(1)));
    expect(again.prompt[0]).toBe(0);
    expect(again.outputs['2']!['images']).toEqual([
      { filename: 'flat_00002_.png', subfolder: '', type: 'output' },
    ]);
  });

  test('in the middle of a job loses the job', async () => {
    pod.failNext('crash', { afterSteps: 2, restartAfterMs: 10 });
    const id = await submit(pod, sampling(1));
    const back = async (): Promise<boolean> =>
      fetch(`${pod.url}/prompt`).then(
        (r) => r.ok,
        () => false,
      );
    await until(async () => !(await back()) || pod.queue().queue_running.length === 0, 'the crash');
    await until(back, 'the pod to come back');
    expect(await (await fetch(`${pod.url}/history/${id}`)).json()).toEqual({});
    expect(pod.queue()).toEqual({ queue_running: [], queue_pending: [] });
  });

  test('told over HTTP, happens after the reply', async () => {
    expect((await post(pod, '/demo/crash', {})).status).toBe(200);
    await until(
      async () =>
        fetch(pod.url).then(
          () => false,
          () => true,
        ),
      'refused connections',
    );
  });
});

test.each([
  ['execution_error', 'RuntimeError'],
  ['oom', 'torch.OutOfMemoryError'],
])('fail-next %s ends the next job with that error, and only that one', async (kind, type) => {
  expect((await post(pod, '/demo/fail-next', { kind })).status).toBe(200);
  const failed = await finished(pod, await submit(pod, sampling(1)));
  expect(failed.status).toMatchObject({ status_str: 'error', completed: false });
  expect(failed.status.messages.at(-1)).toMatchObject([
    'execution_error',
    { node_id: '3', node_type: 'KSampler', exception_type: type },
  ]);
  expect((await finished(pod, await submit(pod, sampling(1)))).status.status_str).toBe('success');
});

test('fail-next interrupt looks like somebody else stopped the job', async () => {
  await post(pod, '/demo/fail-next', { kind: 'interrupt' });
  const entry = await finished(pod, await submit(pod, sampling(1)));
  expect(entry.status.messages.at(-1)![0]).toBe('execution_interrupted');
});

test('a failure also strikes a job without steps, at its output node', async () => {
  await post(pod, '/demo/fail-next', { kind: 'execution_error' });
  const entry = await finished(pod, await submit(pod, flatImage(3)));
  expect(entry.status.messages.at(-1)![1]).toMatchObject({ node_id: '2' });
});

test('fail-next drop-socket cuts the socket while the job goes on', async () => {
  const me = await connect(pod, 'me');
  await post(pod, '/demo/fail-next', { kind: 'drop-socket' });
  const entry = await finished(pod, await submit(pod, sampling(1)));
  await until(() => me.closeCode() !== undefined, 'the cut');
  expect(me.closeCode()).toBe(1006);
  expect(entry.status.status_str).toBe('success');
});

test('a stalled pod sends nothing but first frames, answers HTTP, and delivers everything once it wakes', async () => {
  const me = await connect(pod, 'me');
  pod.stallSockets(true);
  const id = await submit(pod, flatImage(5));
  await finished(pod, id);
  const late = await connect(pod, 'late');
  expect(late.types()).toEqual(['status']);
  expect(me.types()).toEqual(['status']);
  await post(pod, '/demo/stall', { on: false });
  await until(() => me.types().includes('execution_success'), 'the held back frames');
});

test('a dead worker leaves the job running for ever, and interrupt answers 200 without effect', async () => {
  pod.failNext('worker-dead', { afterSteps: 1 });
  const id = await submit(pod, sampling(1));
  await until(() => pod.queue().queue_running.length === 1, 'the job to start');
  expect((await post(pod, '/interrupt', {})).status).toBe(200);
  const next = await submit(pod, flatImage(9));
  expect(pod.queue().queue_pending.map((item) => item[1])).toContain(next);
  expect(pod.queue().queue_running.map((item) => item[1])).toEqual([id]);
  expect(pod.history()).toEqual({});
});

test('of two sockets with one client id the newer goes deaf when the older closes', async () => {
  const older = await connect(pod, 'me');
  const newer = await connect(pod, 'me');
  const other = await connect(pod, 'other');
  older.socket.close();
  await until(() => older.closeCode() !== undefined, 'the older socket to close');
  await finished(pod, await submit(pod, flatImage(7)));
  await until(() => other.frames.length >= 3, 'the broadcasts');
  expect(newer.types()).toEqual(['status']);
  expect(newer.closeCode()).toBeUndefined();
});

test('rejected and unavailable requests queue nothing; 500-but-queued does', async () => {
  pod.rejectNext(429);
  expect((await post(pod, '/prompt', { prompt: flatImage(1) })).status).toBe(429);
  await post(pod, '/demo/fail-next', { kind: 'http-503' });
  expect((await post(pod, '/prompt', { prompt: flatImage(1) })).status).toBe(503);
  expect(pod.history()).toEqual({});
  pod.failNext('http-500-but-queued');
  const reply = await post(pod, '/prompt', { prompt: flatImage(1), prompt_id: 'known' });
  expect(reply.status).toBe(500);
  expect((await finished(pod, 'known')).status.status_str).toBe('success');
});

test.each([[{ kind: 'no-such-kind' }], [{}], ['not json'], [{ kind: 'crash', restartAfterMs: 'soon' }]])(
  'the control route refuses %j with a reason',
  async (body) => {
    const reply = await post(pod, '/demo/fail-next', body);
    expect(reply.status).toBe(400);
    expect(await reply.json()).toHaveProperty('error');
  },
);

test('one client that stops reading holds up every other one, while jobs go on', async () => {
  const [sleepy, other] = [await connect(pod, 'me'), await connect(pod, 'other')];
  sleepy.socket.pause();
  const text = { class_type: 'DemoSleep', inputs: { seconds: 0, value: 'x'.repeat(3_000_000) } };
  // More than the buffers of a connection hold, shown by many nodes: a text is read letter by letter.
  const shown = Array.from({ length: 9 }, (_, index) => [
    String(index + 2),
    { class_type: 'PreviewAny', inputs: { source: ['1', 0] } },
  ]);
  await finished(pod, await submit(pod, { '1': text, ...Object.fromEntries(shown) }));
  for (let i = 0; i < 5; i++) await fetch(`${pod.url}/prompt`);
  expect(JSON.stringify(other.frames.slice(1))).not.toContain('"queue_remaining":0');
  sleepy.socket.terminate();
  await until(() => JSON.stringify(other.frames.slice(1)).includes('"queue_remaining":0'), 'the last status');
});

test('temporary pictures are gone after a crash, saved ones are not', async () => {
  const prompt = { ...flatImage(1), '3': { class_type: 'PreviewImage', inputs: { images: ['1', 0] } } };
  const entry = await finished(pod, await submit(pod, prompt));
  const [temp] = entry.outputs['3']!['images'] as Array<{ filename: string }>;
  const view = async (query: string): Promise<number> => (await fetch(`${pod.url}/view?${query}`)).status;
  expect(await view(`filename=${temp!.filename}&type=temp`)).toBe(200);
  await pod.crash();
  await pod.restart();
  expect(await view(`filename=${temp!.filename}&type=temp`)).toBe(404);
  expect(await view('filename=flat_00001_.png')).toBe(200);
});
