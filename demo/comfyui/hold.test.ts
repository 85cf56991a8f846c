import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { until } from './test-support/recording-player.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';
import { connect, finished, flatImage, post, sampling, submit } from './test-support/test-client.ts';
import type { TestSocket } from './test-support/test-client.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

let pod: SimulatedComfyUi;
let me: TestSocket;

beforeEach(async () => {
  pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
  me = await connect(pod, 'me');
});

afterEach(() => pod.close());

const tell = async (route: string, body: unknown = {}): Promise<void> => {
  expect((await post(pod, `/demo/${route}`, body)).status).toBe(200);
};
const isHeld = async (): Promise<boolean> => {
  const state = (await (await fetch(`${pod.url}/demo/state`)).json()) as { held: boolean };
  return state.held;
};
const held = (): Promise<void> => until(isHeld, 'the run to be held');
const stepsSeen = ({ frames }: TestSocket): unknown[] =>
  frames.flatMap(({ type, data }) => (type === 'progress' ? [data['value']] : []));
const heard = (count: number): Promise<void> => until(() => stepsSeen(me).length >= count, `${count} steps`);
/** Steps up to now: frames keep their order, so what the held run said came before the longer queue. */
const heardSoFar = async (): Promise<unknown[]> => {
  await submit(pod, flatImage(1));
  const length = 1 + pod.queue().queue_pending.length;
  await until(() => JSON.stringify(me.frames).includes(`"queue_remaining":${length}}`), 'the longer queue');
  return stepsSeen(me);
};

describe('a hold', () => {
  test('stops a job after so many steps, goes further when it moves, and ends with a release', async () => {
    await tell('hold', { afterSteps: 1 });
    const id = await submit(pod, sampling(1));
    await held();
    expect(await heardSoFar()).toEqual([1]);
    await tell('hold', { afterSteps: 3 });
    await heard(3);
    await held();
    expect(await heardSoFar()).toEqual([1, 2, 3]);
    expect(pod.history()).toEqual({});
    await tell('release');
    expect((await finished(pod, id)).status.status_str).toBe('success');
    await heard(4);
    expect(stepsSeen(me)).toEqual([1, 2, 3, 4]);
    expect(await isHeld()).toBe(false);
  });

  test('at 0 stops in the node, before its first step, and at the last step before its end', async () => {
    pod.hold(0);
    const id = await submit(pod, sampling(1));
    await held();
    expect(await heardSoFar()).toEqual([]);
    expect(me.frames.findLast(({ type }) => type === 'executing')?.data['node']).toBe('3');
    pod.hold(4);
    await heard(4);
    await held();
    expect(await heardSoFar()).toEqual([1, 2, 3, 4]);
    expect(me.frames.findLast(({ type }) => type === 'executing')?.data['node']).toBe('3');
    pod.release();
    await finished(pod, id);
  });

  test('strikes each job until the release, and none afterwards', async () => {
    pod.hold(2);
    const [first, second] = [await submit(pod, sampling(1)), await submit(pod, sampling(2))];
    await held();
    await post(pod, '/interrupt', {});
    await finished(pod, first);
    await heard(4);
    await held();
    expect(stepsSeen(me)).toEqual([1, 2, 1, 2]);
    pod.release();
    await finished(pod, second);
    await finished(pod, await submit(pod, sampling(3)));
    await heard(10);
    expect(stepsSeen(me)).toEqual([1, 2, 1, 2, 3, 4, 1, 2, 3, 4]);
  });

  test('keeps parallel nodes together from more steps than it lets pass', async () => {
    const node = { class_type: 'DemoParallel', inputs: { steps: 3, delay: 0 } };
    const shown = (source: string) => ({ class_type: 'PreviewAny', inputs: { source: [source, 0] } });
    pod.hold(3);
    const prompt = { '1': node, '2': { ...node }, '3': shown('1'), '4': shown('2') };
    const id = await submit(pod, prompt);
    await held();
    expect(await heardSoFar()).toHaveLength(3);
    pod.release();
    await finished(pod, id);
    await heard(6);
  });

  test('lets jobs without steps pass', async () => {
    pod.hold(0);
    expect((await finished(pod, await submit(pod, flatImage(1)))).status.status_str).toBe('success');
  });

  test('gives way to an interrupt', async () => {
    pod.hold(2);
    const id = await submit(pod, sampling(1));
    await held();
    expect((await post(pod, '/interrupt', { prompt_id: id })).status).toBe(200);
    const entry = await finished(pod, id);
    expect(entry.status.messages.at(-1)![0]).toBe('execution_interrupted');
    await until(() => me.types().includes('execution_interrupted'), 'the interruption');
    expect(stepsSeen(me)).toEqual([1, 2]);
    expect(await isHeld()).toBe(false);
  });

  test('gives way to a crash, and holds the next job after the restart', async () => {
    pod.hold(2);
    await submit(pod, sampling(1));
    await held();
    await pod.crash();
    await pod.restart();
    expect(await isHeld()).toBe(false);
    expect(pod.queue()).toEqual({ queue_running: [], queue_pending: [] });
    const id = await submit(pod, sampling(1));
    await held();
    pod.release();
    expect((await finished(pod, id)).status.status_str).toBe('success');
  });

  test('lets go of a worker that dies', async () => {
    pod.hold(2);
    const id = await submit(pod, sampling(1));
    await held();
    await tell('kill-worker');
    expect(await isHeld()).toBe(false);
    expect(pod.queue().queue_running.map((item) => item[1])).toEqual([id]);
  });

  test('ends with the pod', async () => {
    pod.hold(2);
    await submit(pod, sampling(1));
    await held();
    await pod.close();
    await until(() => me.closeCode() === 1006, 'the socket to end');
  });

  test.each([[{}], [{ afterSteps: -1 }], [{ afterSteps: 1.5 }], [{ afterSteps: '2' }], ['not json'], ['[]']])(
    'is refused with a reason when told %j',
    async (body) => {
      const reply = await post(pod, '/demo/hold', body);
      expect(reply.status).toBe(400);
      expect(await reply.json()).toHaveProperty('error');
      await finished(pod, await submit(pod, sampling(1)));
    },
  );
});
