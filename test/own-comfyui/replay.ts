/**
 * What a real ComfyUI sent, through the whole pipeline: each recording once from its frames, and once by the simulated
 * ComfyUI that runs the recorded workflow. Both must end in the same job, told in the same way.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Child } from '../../demo/child-processes.ts';
import { startMonitorProcess } from '../../demo/workers.ts';
import type { JobPush, Task } from '../../shared-types/index.ts';
import { readRecording, type RecordingName } from '../fakes/recording.ts';
import { startReplayComfyUi, type ReplayComfyUi } from '../fakes/replay-comfyui.ts';
import { readLogs, troublesIn } from '../support/logs.ts';
import { cases, type Case, type Ending } from './cases.ts';
import { GATED_MS, MONITOR_ENV, ownComfyUi, START_MS, WAIT_MS } from './stack.ts';
import { waitUntil } from '../support/wait.ts';

/** A second of the recordings takes 20 ms. */
const PACE = 0.02;
/** The sampler has taken its first step, and nothing is decided yet. */
const isMidRun = (frame: string): boolean => /"type": ?"progress".*"value": ?1,/.test(frame);

const own = ownComfyUi();
const RECORDED = 'recorded';
let replayed: ReplayComfyUi;
let monitorOfReplay: Child;

/** New jobs go to the one of the two workers that is in service. */
const put = async (workerId: string, action: 'drain' | 'resume'): Promise<void> => {
  const { apiUrl } = own().pipeline.demo.endpoints;
  const { status } = await fetch(`${apiUrl}/api/v1/workers/${workerId}/${action}`, { method: 'POST' });
  expect(status).toBe(200);
};

const startRecorded = async (): Promise<void> => {
  replayed = await startReplayComfyUi('text-to-image', { pace: PACE, pauseBefore: isMidRun });
  const { endpoints, aws, monitors } = own().pipeline.demo;
  const { awsEndpointUrl: endpoint, awsRegion: region, eventBusName } = endpoints;
  const logDir = path.dirname(monitors[0]!.logFile);
  const dirs = { logDir, stateDir: path.join(logDir, 'monitors') };
  const access = { endpoint, region, eventBusName };
  monitorOfReplay = await startMonitorProcess(RECORDED, replayed.url, access, dirs, MONITOR_ENV);
  await aws.idle();
};

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
const follow = async (name: RecordingName, controls: Controls): Promise<Told> => {
  const { pipeline } = own();
  const workflow = readRecording(name).prompts[0]!.workflow;
  const watcher = await pipeline.watch();
  const id = await pipeline.api.submit(workflow, { max_retries: 0 });
  watcher.follow(id);
  await watcher.until(id, (push) => push.type === 'job_snapshot' && push.status === 'assigned', WAIT_MS);
  controls.start();
  for (const told of isMomentary(name) ? [] : ['job_started', 'job_progress'])
    await watcher.until(id, ({ type }) => type === told, WAIT_MS);
  await controls.goOn();
  await watcher.until(id, ({ type }) => type === 'job_completed' || type === 'job_failed', WAIT_MS);
  const task = await pipeline.api.finished(id, WAIT_MS);
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
  return follow(name, { start: () => replayed.release(), goOn });
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
  const { comfyUi, gate } = own();
  await blockQueue(each);
  if (each.failure !== undefined) {
    const [kind, afterSteps] = each.failure;
    comfyUi.failNext(kind, { afterSteps });
  }
  comfyUi.hold(0);
  return follow(each.name, { start: () => gate.releaseAll(), goOn: () => comfyUi.release() });
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
  failure: failureOf(pushes.findLast(({ type }) => isTerminal(type))),
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
 * overtake the start; in a momentary run it is luck whether progress is told at all, or an end with nothing to store overtakes the start.
 */
const toldTypes = ({ pushes }: Told, { name, ends }: Case): string[] => {
  // How many transitions one message holds is a matter of speed.
  const types = pushes.map(({ type }) => type).filter((type) => type !== 'job_nodes');
  const rest = types.slice(types.findIndex((type) => type !== 'job_snapshot'));
  const isSure = (type: JobPush['type']): boolean => !isMomentary(name) || isTerminal(type);
  const startIsSure = !isMomentary(name) || ends.outputs.length > 0;
  const told = [
    'job_snapshot',
    ...rest.filter((type) => type === 'job_started' && startIsSure),
    ...rest.filter((type) => type !== 'job_started' && isSure(type)),
  ];
  return told.filter((type, at) => type !== told[at - 1]);
};

/** Nodes are added to a state, whose number they have, and may be told after the end. */
const expectOrderly = ({ pushes }: Told): void => {
  const states = pushes.filter(({ type }) => type !== 'job_nodes');
  expect(states[0]?.type).toBe('job_snapshot');
  expect(states.map(({ type }) => isTerminal(type))).toEqual([
    ...Array.from({ length: states.length - 1 }, () => false),
    true,
  ]);
  expect(pushes.filter(({ type }) => type === 'job_started').length).toBeLessThanOrEqual(1);
  const percentages = pushes.flatMap((push) => (push.type === 'job_progress' ? push.overallPercentage : []));
  expect(percentages).toEqual(percentages.toSorted((a, b) => a - b));
};

const expectEnd = (told: Told, { ends }: Case): void => {
  expectOrderly(told);
  expect(stateOf(told)).toEqual(stateAt(ends));
  expect(told.task.error).toMatch(ends.error ?? /^$/);
};

/** In their order; the recorded server made previews of 38 KB, which are told of once and left out. */
const expectTroubles = (monitorLines: readonly string[]): void => {
  const [failed, disconnected] = ['monitor.jobFailed', 'monitor.disconnected'];
  const told = troublesIn(monitorLines).filter((code) => code !== 'monitor.previewTooLarge');
  expect(told).toEqual([failed, failed, disconnected, disconnected]);
};

/** How each recording was told, for what simulates it. */
const recordings = new Map<RecordingName, Told>();

describe('what a real ComfyUI sent', () => {
  beforeAll(async () => {
    await startRecorded();
    await put('comfyui-1', 'drain');
  }, START_MS);
  afterAll(async () => {
    replayed?.resume();
    await monitorOfReplay?.stop();
    await replayed?.close();
    await put('comfyui-1', 'resume');
  }, WAIT_MS);

  test.each(cases)(
    '$name ends as it did',
    async (each) => {
      const recorded = await fromRecording(each);
      recordings.set(each.name, recorded);
      expectEnd(recorded, each);
      if (isMomentary(each.name)) return;
      const last = `job_${each.ends.status}`;
      expect(toldTypes(recorded, each)).toEqual(['job_snapshot', 'job_started', 'job_progress', last]);
    },
    4 * WAIT_MS,
  );

  test('its monitor warned of what happened only', async () => {
    expectTroubles((await readFile(monitorOfReplay.logFile, 'utf8')).split('\n'));
  });
});

describe('what the simulated ComfyUI sends', () => {
  beforeAll(() => writeFile(path.join(own().comfyUi.inputDir, 'broken.png'), 'this is no picture'));

  test.each(cases)(
    '$name ends, and is told, as the recording is',
    async (each) => {
      const simulation = await fromSimulation(each);
      expectEnd(simulation, each);
      expect(toldTypes(simulation, each)).toEqual(toldTypes(recordings.get(each.name)!, each));
    },
    4 * WAIT_MS,
  );

  test('no function had anything to warn of, and its monitor warned of what happened only', async () => {
    const { functions, monitors } = await readLogs(own().pipeline);
    expect(functions.length).toBeGreaterThan(2 * cases.length);
    expect(troublesIn(functions)).toEqual([]);
    expectTroubles(monitors);
  });
});
