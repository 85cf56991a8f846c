/**
 * What a real ComfyUI sent, through the whole pipeline: each recording once from its frames, and once by the simulated
 * ComfyUI that runs the recorded workflow. Both must end in the same job, told in the same way.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StepGate } from '../demo/comfyui/test-support/recording-player.ts';
import { startSimulatedComfyUi, type SimulatedComfyUi } from '../demo/comfyui/simulated-comfyui.ts';
import type { RunFailure } from '../demo/comfyui/failure-plan.ts';
import type { JobPush, Task } from '../shared-types/index.ts';
import { readRecording, type RecordingName } from './fakes/recording.ts';
import { startReplayComfyUi, type ReplayComfyUi } from './fakes/replay-comfyui.ts';
import { startPipeline, type Pipeline, type Watcher } from './support/pipeline.ts';
import { waitUntil } from './support/wait.ts';

/** A second of the recordings takes 20 ms. */
const PACE = 0.02;
/** Nodes that sleep for this long or longer wait for the test. */
const GATED_MS = 1_000_000;

const gate = new StepGate();
let simulated: SimulatedComfyUi;
let replayed: ReplayComfyUi;
let ofSimulated: Pipeline;
let ofReplay: Pipeline;

beforeAll(async () => {
  simulated = await startSimulatedComfyUi({
    stepDelayMs: 60,
    sleep: (ms, signal) =>
      ms >= GATED_MS ? gate.sleep(ms, signal) : sleep(ms, undefined, { signal }).catch(() => undefined),
  });
  writeFileSync(path.join(simulated.inputDir, 'broken.png'), 'this is no picture');
  replayed = await startReplayComfyUi('text-to-image', { pace: PACE });
  [ofReplay, ofSimulated] = await Promise.all([
    startPipeline({ comfyUiUrls: [replayed.url] }),
    startPipeline({ comfyUiUrls: [simulated.url] }),
  ]);
}, 90_000);
afterAll(async () => {
  gate.releaseAll();
  await Promise.all([ofReplay?.stop(), ofSimulated?.stop()]);
  await Promise.all([replayed?.close(), simulated?.close()]);
}, 30_000);

interface Case {
  readonly name: RecordingName;
  /** What the simulated ComfyUI must suffer for it. */
  readonly failure?: RunFailure;
  readonly afterSteps?: number;
  /** Nodes of the workflow whose results are cached already. */
  readonly cached?: readonly string[];
  readonly ends: {
    readonly status: 'completed' | 'failed';
    readonly outputs: readonly string[];
    readonly reason?: string;
  };
}

interface Told {
  readonly task: Task;
  readonly pushes: readonly JobPush[];
}

/** Submits while ComfyUI holds its queue back, so that the watcher hears of the job from its dispatch on. */
const follow = async (pipeline: Pipeline, name: RecordingName, go: () => void): Promise<Told> => {
  const workflow = readRecording(name).prompts[0]!.workflow;
  const watcher: Watcher = await pipeline.watch();
  const id = await pipeline.api.submit(workflow, { max_retries: 0 });
  watcher.follow(id);
  await watcher.until(id, (push) => push.type === 'job_snapshot' && push.status === 'assigned');
  go();
  const task = await pipeline.api.finished(id);
  await watcher.until(id, ({ type }) => type === 'job_completed' || type === 'job_failed');
  await pipeline.demo.aws.idle();
  await watcher.close();
  return { task, pushes: watcher.of(id).toSorted((a, b) => a.sequence - b.sequence) };
};

const fromRecording = ({ name }: Case): Promise<Told> => {
  replayed.load(name);
  replayed.hold();
  return follow(ofReplay, name, () => replayed.release());
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
  const { status } = await fetch(`${simulated.url}/prompt`, { method: 'POST', body });
  expect(status).toBe(200);
  await waitUntil(() => gate.pending > 0, { what: 'the sleeping prompt' });
};

const fromSimulation = async (each: Case): Promise<Told> => {
  await blockQueue(each);
  const { failure, afterSteps = 2 } = each;
  if (failure !== undefined) simulated.failNext(failure, { afterSteps });
  return follow(ofSimulated, each.name, () => gate.releaseAll());
};

/** What both must agree on. */
const stateOf = ({ task, pushes }: Told) => {
  const last = pushes.at(-1)!;
  return {
    status: task.status,
    error: task.error,
    attempt: task.attempt,
    retries: task.retry_count,
    reason: last.type === 'job_failed' ? [last.reason, last.nodeId, last.nodeName, last.nodeType] : [],
    outputs: outputsOf(task),
    missing: task.result?.missing_outputs ?? [],
    pushTypes: pushes.map(({ type }) => type).filter((type, at, types) => type !== types[at - 1]),
  };
};

const outputsOf = ({ result }: Task): string[] =>
  (result?.outputs ?? []).map(
    ({ node_id, output_key, index, kind, mime_type }) =>
      `${node_id} ${output_key} ${index} ${kind} ${mime_type}`,
  );

const TERMINAL = ['job_completed', 'job_failed', 'job_cancelled'];

const expectOrderly = ({ pushes }: Told): void => {
  expect(pushes.filter(({ type }) => TERMINAL.includes(type))).toHaveLength(1);
  const percentages = pushes.flatMap((push) => (push.type === 'job_progress' ? push.overallPercentage : []));
  expect(percentages).toEqual(percentages.toSorted((a, b) => a - b));
};

const PICTURE = '9 images 0 image image/png';
const cases: readonly Case[] = [
  { name: 'text-to-image', ends: { status: 'completed', outputs: [PICTURE] } },
  {
    name: 'cached-rerun',
    cached: ['3', '4', '5', '6', '7', '8', '9'],
    ends: { status: 'completed', outputs: [PICTURE] },
  },
  {
    name: 'batch-and-temp-preview',
    ends: { status: 'completed', outputs: [PICTURE, '9 images 1 image image/png'] },
  },
  { name: 'model-free-fast', ends: { status: 'completed', outputs: ['3 images 0 image image/png'] } },
  { name: 'execution-error', ends: { status: 'failed', reason: 'nodeError', outputs: [] } },
  {
    name: 'out-of-memory',
    cached: ['3', '4'],
    ends: { status: 'failed', reason: 'outOfMemory', outputs: [] },
  },
  {
    name: 'animated-and-audio-and-text-outputs',
    ends: {
      status: 'completed',
      outputs: [],
    },
  },
  { name: 'interrupted', failure: 'interrupt', ends: { status: 'failed', reason: 'interrupted', outputs: [] } },
  { name: 'bare-nan-in-frames', ends: { status: 'completed', outputs: [] } },
  { name: 'reconnect-mid-run', failure: 'drop-socket', ends: { status: 'completed', outputs: [PICTURE] } },
  {
    name: 'socket-lost-until-end',
    failure: 'drop-socket',
    afterSteps: 1,
    ends: { status: 'completed', outputs: [PICTURE] },
  },
];

test.each(cases)('$name ends the same, recorded and simulated', async (each) => {
  const [recorded, simulation] = await Promise.all([fromRecording(each), fromSimulation(each)]);
  console.log(each.name, JSON.stringify([stateOf(recorded), stateOf(simulation)], null, 1), recorded.pushes.length, simulation.pushes.length, JSON.stringify(recorded.pushes.map(p=>[p.type,p.sequence,'message' in p?p.message:''])),JSON.stringify(simulation.pushes.map(p=>[p.type,p.sequence,'message' in p?p.message:''])));
  expectOrderly(recorded);
  expectOrderly(simulation);
  expect(stateOf(recorded)).toEqual(stateOf(simulation));
}, 30_000);

test('logs', async () => {
  const { readFile } = await import('node:fs/promises');
  for (const p of [ofReplay, ofSimulated]) {
    for (const n of ['dispatch','monitor-init','job-start','job-progress','job-completion','job-failure','submit-task','get-task','subscribe','connect','disconnect','task-metrics'])
      console.log(n, p.demo.aws.functionLogs(`local-comfyui-${n}`).filter(l => /warn|error/i.test(l)).join('\n'));
    for (const m of p.demo.monitors) console.log(await readFile(m.logFile, 'utf8'));
  }
});
