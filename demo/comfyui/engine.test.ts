import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { PNG } from 'pngjs';
import { until } from './test-support/recording-player.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';
import type { TestSocket } from './test-support/test-client.ts';
import { connect, finished, flatImage, sampling, submit } from './test-support/test-client.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

let pod: SimulatedComfyUi;
let me: TestSocket;

beforeEach(async () => {
  pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
  me = await connect(pod, 'me');
});

afterEach(() => pod.close());

interface NodeView {
  state: string;
  value: number;
  max: number;
  display_node_id: string;
  parent_node_id: string | null;
  real_node_id: string;
}

function states(): Array<Record<string, NodeView>> {
  const frames = me.frames.filter((frame) => frame.type === 'progress_state');
  return frames.map((frame) => frame.data['nodes'] as Record<string, NodeView>);
}

function executing(): unknown[] {
  return me.frames.filter((frame) => frame.type === 'executing').map((frame) => frame.data['node']);
}

async function runAndSee(prompt: unknown): Promise<ReturnType<typeof finished>> {
  const entry = await finished(pod, await submit(pod, prompt));
  await until(() => executing().at(-1) === null, 'the end of the run on the socket');
  return entry;
}

const show = (from: string): object => ({ class_type: 'ProbeOut', inputs: { v: [from, 0] } });

test('nodes that allow it run side by side and each keeps its own count', async () => {
  const side = { class_type: 'DemoParallel', inputs: { steps: 3, delay: 0.001, value: 'x' } };
  await runAndSee({
    '1': side,
    '2': { ...side, inputs: { ...side.inputs, value: 'y' } },
    '3': show('1'),
    '4': show('2'),
  });
  const together = states().some(
    (nodes) => nodes['1']?.state === 'running' && nodes['2']?.state === 'running',
  );
  expect(together).toBe(true);
  expect(states().at(-1)).toMatchObject({ '1': { value: 3, max: 3 }, '2': { value: 3, max: 3 } });
});

test('a node that expands shows its offspring under its own name', async () => {
  const entry = await runAndSee({
    '2': { class_type: 'DemoExpand', inputs: { count: 2, value: 'inside', seconds: 0 } },
    '3': show('2'),
  });
  expect(entry.outputs['3']).toEqual({ text: ['inside'] });
  expect(executing()).toEqual(['2', '2.0.0.1', '2.0.0.2', '3', null]);
  expect(states().at(-1)!['2.0.0.1']).toMatchObject({
    display_node_id: '2',
    parent_node_id: '2',
    real_node_id: '2',
  });
  const inner = me.frames.find((frame) => frame.data['node'] === '2.0.0.1');
  expect(inner!.data['display_node']).toBe('2');
});

test('a blocked output is reported without timestamp, and the run still succeeds', async () => {
  const entry = await runAndSee({
    '1': { class_type: 'DemoBlocked', inputs: { message: 'no way' } },
    '2': show('1'),
    '3': { class_type: 'PreviewAny', inputs: { source: 'free' } },
  });
  const error = me.frames.find((frame) => frame.type === 'execution_error')!;
  expect(error.data).toMatchObject({ exception_type: 'ExecutionBlocked', node_id: '2', current_inputs: [] });
  expect(error.data).not.toHaveProperty('timestamp');
  expect(me.types().indexOf('execution_success')).toBeGreaterThan(me.types().indexOf('execution_error'));
  expect(entry.status).toMatchObject({ status_str: 'success', completed: true });
  expect(entry.status.messages.map(([type]) => type)).not.toContain('execution_error');
  expect(Object.keys(entry.outputs)).toEqual(['3']);
});

test('a lazy node is announced twice and only the needed side runs', async () => {
  const side = (value: string): object => ({ class_type: 'DemoSleep', inputs: { seconds: 0, value } });
  const entry = await runAndSee({
    '1': side('yes'),
    '2': side('no'),
    '3': { class_type: 'DemoLazySwitch', inputs: { condition: true, on_true: ['1', 0], on_false: ['2', 0] } },
    '4': show('3'),
  });
  expect(executing()).toEqual(['3', '1', '3', '4', null]);
  expect(entry.outputs['4']).toEqual({ text: ['yes'] });
});

test('nodes that no output needs do not run', async () => {
  await runAndSee({
    ...flatImage(1),
    '9': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 1, color: 0 } },
  });
  expect(executing()).toEqual(['1', '2', null]);
});

test('without a client a cached run leaves its outputs out, and only progress is seen', async () => {
  await runAndSee(flatImage(1));
  const before = me.frames.length;
  const body = { client_id: undefined, prompt_id: 'nobody' };
  const entry = await finished(pod, await submit(pod, flatImage(1), body));
  expect(entry.outputs).toEqual({});
  await until(
    () => me.frames.slice(before).filter((frame) => frame.type === 'status').length === 3,
    'the end',
  );
  expect(new Set(me.types().slice(before))).toEqual(new Set(['status', 'progress_state']));
});

test('a failing node keeps what earlier outputs gave', async () => {
  const entry = await runAndSee({
    '1': { class_type: 'PreviewAny', inputs: { source: 'early' } },
    '2': { class_type: 'DemoFail', inputs: { message: 'sorry', exception_type: 'ValueError' } },
    '3': show('2'),
  });
  expect(entry.status).toMatchObject({ status_str: 'error', completed: false });
  expect(entry.outputs).toEqual({ '1': { text: ['early'] } });
  expect(entry.status.messages.at(-1)).toMatchObject([
    'execution_error',
    { node_id: '2', exception_type: 'ValueError', executed: ['1'], current_inputs: { message: ['sorry'] } },
  ]);
});

describe('binary frames', () => {
  test('SaveImageWebsocket sends the picture as PNG of the old kind and leaves no output', async () => {
    const prompt = {
      ...flatImage(0xff0000),
      '2': { class_type: 'SaveImageWebsocket', inputs: { images: ['1', 0] } },
    };
    const entry = await runAndSee(prompt);
    expect(entry.outputs).toEqual({});
    const [frame] = me.binaries;
    expect([frame!.readUInt32BE(0), frame!.readUInt32BE(4)]).toEqual([1, 2]);
    const picture = PNG.sync.read(frame!.subarray(8));
    expect([picture.width, ...picture.data.subarray(0, 3)]).toEqual([16, 255, 0, 0]);
  });

  test('previews say their node only to a client that asked in its first text frame', async () => {
    const late = await connect(pod, 'late');
    late.socket.send(JSON.stringify({ type: 'hello' }));
    late.socket.send(JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } }));
    const wrong = await connect(pod, 'wrong');
    wrong.socket.send(JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: 'yes' } }));
    await until(() => wrong.types().includes('feature_flags'), 'the answer');
    for (const id of ['late', 'wrong'])
      await finished(pod, await submit(pod, sampling(id.length), { client_id: id }));
    await until(() => late.binaries.length === 4 && wrong.binaries.length === 4, 'the previews');
    expect([late, wrong].map((one) => one.binaries[0]!.readUInt32BE(0))).toEqual([1, 1]);
    expect(late.types()).not.toContain('feature_flags');
  });

  test('previews can be turned off', async () => {
    const quiet = await startSimulatedComfyUi({ stepDelayMs: 0, previews: false });
    const socket = await connect(quiet, 'me');
    await finished(quiet, await submit(quiet, sampling(1)));
    await until(() => socket.types().includes('execution_success'), 'the end');
    expect(socket.binaries).toEqual([]);
    await quiet.close();
  });
});

test('success is told before the history can be read, when so configured', async () => {
  const slow = await startSimulatedComfyUi({ stepDelayMs: 0, historyDelayMs: 60 });
  const socket = await connect(slow, 'me');
  const id = await submit(slow, flatImage(1));
  await until(() => socket.types().includes('execution_success'), 'success');
  expect(await (await fetch(`${slow.url}/history/${id}`)).json()).toEqual({});
  await finished(slow, id);
  await slow.close();
});
