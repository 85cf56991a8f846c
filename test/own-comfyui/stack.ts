/** A ComfyUI of one's own, which the pipeline watches and never started, and the pipeline that does: for all of a file. */
import { afterAll, beforeAll } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { StepGate } from '../../demo/comfyui/test-support/recording-player.ts';
import { startSimulatedComfyUi, type SimulatedComfyUi } from '../../demo/comfyui/simulated-comfyui.ts';
import { startPipeline, type Pipeline } from '../support/pipeline.ts';

/** Nodes that sleep for this long or longer wait for the test. */
export const GATED_MS = 1_000_000;
/** Generous: they are only waited out by a test that fails. */
export const [START_MS, WAIT_MS] = [240_000, 60_000];

/** Of every monitor of these tests. */
export const MONITOR_ENV = { MONITOR_PROGRESS_INTERVAL_MS: '100' };

export interface OwnComfyUi {
  readonly comfyUi: SimulatedComfyUi;
  readonly pipeline: Pipeline;
  readonly gate: StepGate;
  /** From now on a sampler waits at the gate before each step. */
  hold(): void;
  /** Whoever waits at the gate goes on, and nobody new is held. */
  release(): void;
}

let own: OwnComfyUi | undefined;
let isAwaited = false;

const start = (): void => {
  const gate = new StepGate();
  let held = false;
  let comfyUi: SimulatedComfyUi | undefined;
  const release = (): void => {
    held = false;
    gate.releaseAll();
  };

  beforeAll(async () => {
    comfyUi = await startSimulatedComfyUi({
      stepDelayMs: 10,
      sleep: (ms, signal) =>
        held || ms >= GATED_MS
          ? gate.sleep(ms, signal)
          : sleep(ms, undefined, { signal }).catch(() => undefined),
    });
    const pipeline = await startPipeline({ comfyUiUrls: [comfyUi.url], monitorEnv: MONITOR_ENV });
    const hold = (): void => {
      held = true;
    };
    own = { comfyUi, pipeline, gate, hold, release };
  }, START_MS);

  afterAll(async () => {
    release();
    comfyUi?.release();
    await own?.pipeline.stop();
    await comfyUi?.close();
  }, WAIT_MS);
};

/** Started before the first test of the file, stopped after the last. */
export const ownComfyUi = (): (() => OwnComfyUi) => {
  if (!isAwaited) start();
  isAwaited = true;
  return () => {
    if (own === undefined) throw new Error('the ComfyUI has not started');
    return own;
  };
};
