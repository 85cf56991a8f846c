/**
 * What a real ComfyUI sent, through the whole pipeline: each recording once from its frames, and once by the simulated
 * ComfyUI that runs the recorded workflow. Both must end in the same job, told in the same way.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunFailure } from '../../demo/comfyui/failure-plan.ts';
import type { JobPush, Task } from '../../shared-types/index.ts';
import { readRecording, type RecordingName } from '../fakes/recording.ts';
import { startReplayComfyUi, type ReplayComfyUi } from '../fakes/replay-comfyui.ts';
import { readLogs, troublesIn } from '../support/logs.ts';
import { startPipeline, type Pipeline } from '../support/pipeline.ts';
import { GATED_MS, ownComfyUi, START_MS, WAIT_MS } from './stack.ts';
import { waitUntil } from '../support/wait.ts';

/** A second of the recordings takes 20 ms. */
const PACE = 0.02;
/** The sampler has taken its first step, and nothing is decided yet. */
const isMidRun = (frame: string): boolean => /"type": ?"progress".*"value": ?1,/.test(frame);

const own = ownComfyUi();
let replayed: ReplayComfyUi;
let ofReplay: Pipeline;

beforeAll(async () => {
  await writeFile(path.join(own().comfyUi.inputDir, 'broken.png'), 'this is no picture');
  replayed = await startReplayComfyUi('text-to-image', { pace: PACE, pauseBefore: isMidRun });
  ofReplay = await startPipeline({ comfyUiUrls: [replayed.url] });
}, START_MS);
afterAll(async () => {
  replayed?.resume();
  await ofReplay?.stop();
  await replayed?.close();
}, WAIT_MS);

interface Case {
  readonly name: RecordingName;
  /** What the simulated ComfyUI must suffer for it, after so many steps. */
  readonly failure?: readonly [kind: RunFailure, afterSteps: number];
  /** Nodes of the workflow whose results are cached already. */
  readonly cached?: readonly string[];
  readonly ends: Ending;
}

interface Ending {
  readonly status: 'completed' | 'failed';
  /** Node, key, index, kind and media type of each output. */
  readonly outputs: readonly string[];
  /** Reason, and id, name and class of the node that failed. */
  readonly failure?: readonly (string | undefined)[];
  readonly error?: RegExp;
}

interface Told {
  readonly task: Task;
  readonly pushes: readonly JobPush[];
}

interface Controls {
  /** Lets the queue go. */
  readonly start: () => void;
  /** A run of some length stops in its middle; this ends the stop. */
  readonly goOn: () => void | Promise<void>;
}

/**
 * Submits while ComfyUI holds its queue back, so that the watcher hears of the job from its dispatch on; and lets the
 * run go on from its middle only when that was told, so that it is never over before.
 */
const follow = async (pipeline: Pipeline, name: RecordingName, controls: Controls): Promise<Told> => {
  const workflow = readRecording(name).prompts[0]!.workflow;
  const watcher = await pipeline.watch();
  const id = await pipeline.api.submit(workflow, { max_retries: 0 });
  watcher.follow(id);
  await watcher.until(id, (push) => push.type === 'job_snapshot' && push.status === 'assigned', WAIT_MS);
  controls.start();
  for (const told of isMomentary(name) ? [] : ['job_started', 'job_progress'])
    await watcher.until(id, ({ type }) => type === told, WAIT_MS);
  await controls.goOn();
  const task = await pipeline.api.finished(id, WAIT_MS);
  await watcher.until(id, ({ type }) => type === 'job_completed' || type === 'job_failed', WAIT_MS);
  await pipeline.demo.aws.idle();
  await watcher.close();
  return { task, pushes: watcher.of(id).toSorted((a, b) => a.sequence - b.sequence) };
};

const fromRecording = ({ name }: Case): Promise<Told> => {
  replayed.load(name);
  replayed.hold();
  const goOn = async (): Promise<void> => {
    if (isMomentary(name)) return;
    await waitUntil(() => replayed.isPaused(), { what: 'the middle of the recording', timeoutMs: WAIT_MS });
    replayed.resume();
  };
  return follow(ofReplay, name, { start: () => replayed.release(), goOn });
};

let blockers = 0;

/** Another client's prompt that sleeps until the test lets it go; it also runs what is to be found in the cache. */
const blockQueue = async ({ name, cached = [] }: Case): Promise<void> => {
  blockers += 1;
  const workflow = readRecording(name).prompts[0]!.workflow;
  const prepared = Object.fromEntries(cached.map((id) => [id, workflow[id]]));
  const prompt = {
    ...prepared,
    sleeper: { class_type: 'DemoSleep', inputs: { seconds: GATED_MS / 1000 + blockers } },
    shown: { class_type: 'PreviewAny', inputs: { source: ['sleeper', 0] } },
  };
  const body = JSON.stringify({ prompt, client_id: 'somebody-else' });
  const { status } = await fetch(`${own().comfyUi.url}/prompt`, { method: 'POST', body });
  expect(status).toBe(200);
  await waitUntil(() => own().gate.pending > 0, { what: 'the sleeping prompt', timeoutMs: WAIT_MS });
};

const fromSimulation = async (each: Case): Promise<Told> => {
  const { comfyUi, pipeline, gate } = own();
  await blockQueue(each);
  if (each.failure !== undefined) {
    const [kind, afterSteps] = each.failure;
    comfyUi.failNext(kind, { afterSteps });
  }
  comfyUi.hold(0);
  return follow(pipeline, each.name, { start: () => gate.releaseAll(), goOn: () => comfyUi.release() });
};

const outputsOf = ({ result }: Task): string[] =>
  (result?.outputs ?? []).map(
    ({ node_id, output_key, index, kind, mime_type }) =>
      `${node_id} ${output_key} ${index} ${kind} ${mime_type}`,
  );

const failureOf = (push: JobPush | undefined): (string | undefined)[] | undefined =>
  push?.type === 'job_failed' ? [push.reason, push.nodeId, push.nodeName, push.nodeType] : undefined;

/** The stored state of the job, without what differs from run to run. */
const stateOf = ({ task, pushes }: Told) => ({
  status: task.status,
  attempt: task.attempt,
  retries: task.retry_count,
  failure: failureOf(pushes.at(-1)),
  outputs: outputsOf(task),
  missing: task.result?.missing_outputs,
});

const stateAt = ({ status, failure, outputs }: Ending) => ({
  status,
  attempt: 1,
  retries: 0,
  failure,
  outputs,
  missing: [],
});

/** Runs of a few milliseconds are over before it is sure that anything is told in between. */
const isMomentary = (name: RecordingName): boolean => {
  const { startedAt, endedAt } = readRecording(name).prompts[0]!;
  return endedAt - startedAt < 100;
};

const isTerminal = (type: JobPush['type']): boolean =>
  ['job_completed', 'job_failed', 'job_cancelled'].includes(type);

/**
 * What was told, in order, repetitions left out. Pushes of one job travel side by side, so the first progress may
 * overtake the start; in a momentary run it is luck whether progress is told at all, or a failure overtakes the start.
 */
const toldTypes = ({ pushes }: Told, { name, ends }: Case): string[] => {
  // How many transitions one message holds is a matter of speed.
  const types = pushes.map(({ type }) => type).filter((type) => type !== 'job_nodes');
  const rest = types.slice(types.findIndex((type) => type !== 'job_snapshot'));
  const isSure = (type: JobPush['type']): boolean => !isMomentary(name) || isTerminal(type);
  const startIsSure = !isMomentary(name) || ends.status === 'completed';
  const told = [
    'job_snapshot',
    ...rest.filter((type) => type === 'job_started' && startIsSure),
    ...rest.filter((type) => type !== 'job_started' && isSure(type)),
  ];
  return told.filter((type, at) => type !== told[at - 1]);
};

const expectOrderly = ({ pushes }: Told): void => {
  expect(pushes[0]?.type).toBe('job_snapshot');
  expect(pushes.map(({ type }) => isTerminal(type))).toEqual([
    ...Array.from({ length: pushes.length - 1 }, () => false),
    true,
  ]);
  expect(pushes.filter(({ type }) => type === 'job_started').length).toBeLessThanOrEqual(1);
  const percentages = pushes.flatMap((push) => (push.type === 'job_progress' ? push.overallPercentage : []));
  expect(percentages).toEqual(percentages.toSorted((a, b) => a - b));
};

const PICTURE = '9 images 0 image image/png';
const COMPLETED: Ending = { status: 'completed', outputs: [PICTURE] };
const cases: readonly Case[] = [
  { name: 'text-to-image', ends: COMPLETED },
  { name: 'cached-rerun', cached: ['3', '4', '5', '6', '7', '8', '9'], ends: COMPLETED },
  {
    name: 'batch-and-temp-preview',
    ends: { status: 'completed', outputs: [PICTURE, '9 images 1 image image/png'] },
  },
  { name: 'model-free-fast', ends: { status: 'completed', outputs: ['3 images 0 image image/png'] } },
  {
    name: 'execution-error',
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['nodeError', '1', 'Load Image', 'LoadImage'],
      error: /^Load Image: cannot identify image file '\/comfyui\/input\/broken\.png'$/,
    },
  },
  {
    name: 'out-of-memory',
    cached: ['3', '4'],
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['outOfMemory', '1', 'Probe Err', 'ProbeErr'],
      error: /^Probe Err: CUDA out of memory/,
    },
  },
  {
    name: 'animated-and-audio-and-text-outputs',
    ends: {
      status: 'completed',
      outputs: [
        '2 images 0 animated image/webp',
        '3 images 0 animated image/apng',
        '5 images 0 video video/mp4',
        '6 images 0 video video/webm',
        '7 text 0 text text/plain; charset=utf-8',
      ],
    },
  },
  {
    name: 'interrupted',
    failure: ['interrupt', 2],
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['interrupted', undefined, undefined, undefined],
      error: /^the prompt was interrupted on its worker$/,
    },
  },
  { name: 'bare-nan-in-frames', ends: { status: 'completed', outputs: [] } },
  { name: 'reconnect-mid-run', failure: ['drop-socket', 2], ends: COMPLETED },
  { name: 'socket-lost-until-end', failure: ['drop-socket', 1], ends: COMPLETED },
];

test.each(cases)(
  '$name ends the same, recorded and simulated',
  async (each) => {
    const [recorded, simulation] = await Promise.all([fromRecording(each), fromSimulation(each)]);
    for (const told of [recorded, simulation]) {
      expectOrderly(told);
      expect(stateOf(told)).toEqual(stateAt(each.ends));
      expect(told.task.error).toMatch(each.ends.error ?? /^$/);
    }
    expect(toldTypes(recorded, each)).toEqual(toldTypes(simulation, each));
    if (!isMomentary(each.name)) {
      const last = `job_${each.ends.status}`;
      expect(toldTypes(recorded, each)).toEqual(['job_snapshot', 'job_started', 'job_progress', last]);
    }
  },
  4 * WAIT_MS,
);

test('no function had anything to warn of, and the monitors warned of what happened only', async () => {
  for (const pipeline of [ofReplay, own().pipeline]) {
    const { functions, monitors } = await readLogs(pipeline);
    expect(functions.length).toBeGreaterThan(cases.length);
    expect(troublesIn(functions)).toEqual([]);
    const [failed, disconnected] = ['monitor.jobFailed', 'monitor.disconnected'];
    // The recorded server made previews of 38 KB, which are told of once and left out.
    const told = troublesIn(monitors).filter((code) => code !== 'monitor.previewTooLarge');
    expect(told).toEqual([failed, failed, disconnected, disconnected]);
  }
});
