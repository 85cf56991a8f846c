import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { readRecording, RecordingPlayer, StepGate, until } from './test-support/recording-player.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

let pod: SimulatedComfyUi;
const gate = new StepGate();

afterEach(async () => {
  gate.releaseAll();
  await pod.close();
});

async function startPod(modelLoadDelayMs = 0): Promise<void> {
  pod = await startSimulatedComfyUi({ stepDelayMs: 1000, sleep: gate.sleep, modelLoadDelayMs });
}

async function runUnseen(prompt: unknown): Promise<void> {
  await fetch(`${pod.url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt, client_id: 'nobody' }) });
  await until(() => {
    gate.releaseAll();
    return Object.keys(pod.history()).length > 0;
  }, 'the preparing prompt');
}

async function replay(name: string, slowNode?: string): Promise<void> {
  const recording = readRecording(name);
  const player = new RecordingPlayer(pod, gate, slowNode);
  await player.play(recording);
  expect(player.frames + player.replies).toBeGreaterThan(3);
}

function promptOf(name: string): Record<string, { inputs: Record<string, unknown> }> {
  const line = readRecording(name).find((item) => item.http === 'POST /prompt');
  return structuredClone((line!.body as { prompt: never }).prompt);
}

test('the session with a checkpoint runs as recorded: sampling, cache, batch, interrupt, reconnect, lost socket', async () => {
  await startPod();
  const before = promptOf('text-to-image');
  before['3']!.inputs['seed'] = 1;
  await runUnseen(before);
  await replay('text-to-image');
  await replay('cached-rerun');
  await replay('batch-and-temp-preview');
  await replay('interrupted');
  await replay('reconnect-mid-run');
  await replay('socket-lost-until-end');
}, 60_000);

test.each([
  'model-free-fast',
  'client-chosen-prompt-id-and-extra-data',
  'foreign-client-and-no-client',
  'delete-pending',
  'animated-and-audio-and-text-outputs',
  'bare-nan-in-frames',
  'validation-errors',
])('%s is answered as recorded', async (name) => {
  await startPod();
  await replay(name);
});

test('a pending prompt that is deleted vanishes as recorded', async () => {
  await startPod(1000);
  await replay('queued-two-then-cancel-second', '4');
});

test('a picture that cannot be read fails as recorded', async () => {
  await startPod();
  writeFileSync(path.join(pod.inputDir, 'broken.png'), 'this is no picture');
  await replay('execution-error');
});

test('running out of memory fails as recorded, after the cached output was repeated', async () => {
  await startPod();
  const prompt = promptOf('out-of-memory');
  await runUnseen({ 3: prompt['3'], 4: prompt['4'] });
  await replay('out-of-memory');
});
