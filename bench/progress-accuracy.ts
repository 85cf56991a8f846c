/** How near percentage and ETA come to the truth, against the two usual ways. Recorded and synthetic jobs; repeats. */
import { Command, InvalidArgumentError } from 'commander';
import { createFakeProfileStore } from '../functions/adapters/dynamodb/profile-store.fake.ts';
import { expectPrompt } from '../functions/core/estimate/expect-prompt.ts';
import { learnAttempt } from '../functions/core/estimate/learn-attempt.ts';
import { CLASS_PROFILE, type ProfileStore } from '../functions/core/estimate/ports.ts';
import type { Logger, NodeTransition } from '../functions/core/ports.ts';
import type { MonitorEvent } from '../monitor/core/monitor-state.ts';
import { simulate } from '../monitor/test-support/simulation.ts';
import {
  RECORDING_NAMES,
  readRecording,
  type RecordedPrompt,
  type Recording,
} from '../test/fakes/recording.ts';
import {
  accuracyOf,
  ourSights,
  sightsByNodes,
  sightsBySteps,
  type Accuracy,
} from './progress-accuracy/measure.ts';
import { recordingOf } from './progress-accuracy/plan-recording.ts';
import { createRandom, SCENARIOS } from './progress-accuracy/synthetic-jobs.ts';

const atLeast =
  (least: number) =>
  (text: string): number => {
    if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`a whole number from ${least}.`);
  };

const program = new Command('progress-accuracy')
  .description('Errors of percentage and ETA against elapsed/total, on recorded and synthetic jobs.')
  .option('--runs <n>', 'runs of each synthetic job; all but the first know the ones before', atLeast(2), 12)
  .option('--seed <n>', 'seed of the synthetic times', atLeast(0), 1)
  .parse();
const { runs: RUNS, seed } = program.opts<{ runs: number; seed: number }>();

const KIND = 'bench';
const fail = (code: string, data: unknown): void => {
  throw new Error(`${code} ${JSON.stringify(data)}`);
};
const logger: Logger = { info: () => undefined, warn: fail, error: fail };

/** What a store knows of classes, without what it knows of workflows. */
const classesOf = async (store: ProfileStore): Promise<ProfileStore> => {
  const key = { of: CLASS_PROFILE, kind: KIND };
  const [classes, alone] = [await store.get(key), createFakeProfileStore()];
  if (classes !== undefined) await alone.put(key, classes, 0);
  return alone;
};

/** The prompt as the dispatcher sends it. */
const dispatched = async (
  recording: Recording,
  prompt: RecordedPrompt,
  profiles: ProfileStore,
): Promise<Recording> => {
  const expected = await expectPrompt('job', JSON.stringify(prompt.workflow), KIND, { profiles, logger });
  const extraData = { ...prompt.extraData, ...(expected === undefined ? {} : { expected }) };
  const told = (prompt.entry?.['prompt'] ?? []) as readonly unknown[];
  const tuple = [prompt.number, prompt.promptId, prompt.workflow, extraData, told[4] ?? []];
  const sent = { ...prompt, extraData, entry: { ...prompt.entry, prompt: tuple } };
  return { ...recording, prompts: recording.prompts.map((each) => (each === prompt ? sent : each)) };
};

const learn = async (
  events: readonly MonitorEvent[],
  { promptId, workflow }: RecordedPrompt,
  jobId: string,
  profiles: ProfileStore,
): Promise<void> => {
  const transitions: (NodeTransition & { attempt: number })[] = [];
  let durationMs: number | null = null;
  for (const { detailType, detail } of events) {
    if (detail.promptId !== promptId) continue;
    if (detailType === 'Job Completed') durationMs = detail.durationMs;
    if (detailType !== 'Node Executed') continue;
    for (const { finishedAt: at, ...node } of detail.nodes)
      transitions.push({ ...node, at, state: 'executed', attempt: 1 } as (typeof transitions)[number]);
  }
  const attempt = { jobId, attempt: 1, durationMs, workflow, kind: KIND };
  await learnAttempt(attempt, { profiles, timeline: { list: async () => transitions }, logger });
};

interface Measured {
  readonly ours: Accuracy;
  readonly nodes: Accuracy;
  readonly steps: Accuracy;
}

const measure = (recording: Recording, prompt: RecordedPrompt, events: readonly MonitorEvent[]): Measured => {
  const [start, end] = [prompt.startedAt, prompt.endedAt];
  return {
    ours: accuracyOf(ourSights(events, prompt.promptId, recording.epoch), start, end),
    nodes: accuracyOf(sightsByNodes(recording, prompt), start, end),
    steps: accuracyOf(sightsBySteps(recording, prompt), start, end),
  };
};

const runOne = async (recording: Recording, prompt: RecordedPrompt, profiles: ProfileStore) => {
  const sent = await dispatched(recording, prompt, profiles);
  const { events } = simulate(sent);
  return { events, measured: measure(sent, prompt, events) };
};

const average = (values: readonly number[]): string =>
  values.length === 0 ? '–' : (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(1);

const etaCell = (all: readonly Accuracy[], quarter: number): string => {
  const told = all.flatMap(({ etaErrors }) => etaErrors[quarter] ?? []);
  const silent = all.length - told.length;
  return `${average(told)}${silent === 0 ? '' : ` (${silent} of ${all.length} estimating)`}`;
};

const row = (job: string, way: string, all: readonly Accuracy[]): string => {
  const cells = [
    average(all.map(({ meanError }) => meanError)),
    ...[0, 1, 2].map((quarter) => etaCell(all, quarter)),
    String(all.reduce((sum, { fellBack }) => sum + fellBack, 0)),
  ];
  return `| ${job} | ${way} | ${cells.join(' | ')} |`;
};

/** By what was known before: nothing, classes by other workflows, or the workflow itself. */
interface Results {
  readonly first: Measured[];
  readonly kin: Measured[];
  readonly later: Measured[];
}

const noResults = (): Results => ({ first: [], kin: [], later: [] });

const report = (job: string, { first, kin, later }: Results): void => {
  const all = later.length === 0 ? first : later;
  const rows = [
    ['ours, never seen before', first.map(({ ours }) => ours)],
    ['ours, new workflow of known classes', kin.map(({ ours }) => ours)],
    ['ours, learnt', later.map(({ ours }) => ours)],
    ['nodes done / nodes', all.map(({ nodes }) => nodes)],
    ['steps only', all.map(({ steps }) => steps)],
  ] as const;
  for (const [index, [way, accuracies]] of rows.entries())
    console.log(row(index === 0 ? job : '', way, accuracies));
};

const everything = noResults();

const keep = (results: Results): void => {
  everything.first.push(...results.first);
  everything.kin.push(...results.kin);
  everything.later.push(...results.later);
};

const scenarioRun = ({ name, plan }: (typeof SCENARIOS)[number], index: number) => {
  const random = createRandom(seed * 1000 + index);
  return (run: number): Case => {
    const recording = recordingOf(name, plan(run, random), `synthetic-${index}-${run}`);
    const [prompt] = recording.prompts;
    if (prompt === undefined) throw new Error(`${name} has no prompt`);
    return { recording, prompt };
  };
};

/** What the first runs of all the other scenarios teach of classes. */
const classesOfOthers = async (index: number): Promise<ProfileStore> => {
  const profiles = createFakeProfileStore();
  for (const [other, scenario] of SCENARIOS.entries()) {
    if (other === index) continue;
    const next = scenarioRun(scenario, other);
    for (let run = 0; run < 3; run += 1) {
      const { recording, prompt } = next(run);
      const { events } = await runOne(recording, prompt, createFakeProfileStore());
      await learn(events, prompt, `job-${other}-${run}`, profiles);
    }
  }
  return classesOf(profiles);
};

const runScenario = async (scenario: (typeof SCENARIOS)[number], index: number): Promise<void> => {
  const profiles = createFakeProfileStore();
  const next = scenarioRun(scenario, index);
  const results = noResults();
  for (let run = 0; run < RUNS; run += 1) {
    const { recording, prompt } = next(run);
    const { events, measured } = await runOne(recording, prompt, profiles);
    (run === 0 ? results.first : results.later).push(measured);
    if (run === 0) results.kin.push((await runOne(recording, prompt, await classesOfOthers(index))).measured);
    await learn(events, prompt, `job-${run}`, profiles);
  }
  report(scenario.name, results);
  keep(results);
};

interface Case {
  readonly recording: Recording;
  readonly prompt: RecordedPrompt;
}

const isWorthIt = ({ recording, prompt }: Case): boolean => {
  const status = (prompt.entry?.['status'] ?? {}) as { status_str?: unknown };
  const ours = prompt.clientId === recording.clientId;
  return ours && status.status_str === 'success' && prompt.endedAt - prompt.startedAt >= 500;
};

/** Each recorded job as it is the first time, then with what all the other recordings teach. */
const runRecordings = async (): Promise<void> => {
  const cases = RECORDING_NAMES.map(readRecording)
    .flatMap((recording) => recording.prompts.map((prompt) => ({ recording, prompt })))
    .filter(isWorthIt);
  for (const one of cases) {
    const { measured: first } = await runOne(one.recording, one.prompt, createFakeProfileStore());
    const profiles = createFakeProfileStore();
    for (const [index, other] of cases.entries()) {
      if (other === one) continue;
      const { events } = await runOne(other.recording, other.prompt, createFakeProfileStore());
      await learn(events, other.prompt, `job-${index}`, profiles);
    }
    const { measured: kin } = await runOne(one.recording, one.prompt, await classesOf(profiles));
    const { measured: later } = await runOne(one.recording, one.prompt, profiles);
    const seconds = ((one.prompt.endedAt - one.prompt.startedAt) / 1000).toFixed(0);
    const results = { first: [first], kin: [kin], later: [later] };
    report(`recorded: ${one.recording.name} (${seconds} s)`, results);
    keep(results);
  }
};

console.log(
  'Percentage: mean distance to elapsed/total, in points. ETA: mean error at a quarter, half and three',
);
console.log('quarters of the time, in percent of the whole time. Backwards: how often a percentage fell.\n');
console.log('| job | way | percentage | ETA 25 % | ETA 50 % | ETA 75 % | backwards |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
await runRecordings();
report('**all recorded**', everything);
const recorded = everything.first.length;
for (const [index, scenario] of SCENARIOS.entries()) await runScenario(scenario, index);
const synthetic = (measured: readonly Measured[]): Measured[] => measured.slice(recorded);
const { first, kin, later } = everything;
report('**all synthetic**', { first: synthetic(first), kin: synthetic(kin), later: synthetic(later) });

const held = later.flatMap(({ ours }) => ours.held);
const share = ((100 * held.filter(Boolean).length) / Math.max(1, held.length)).toFixed(0);
console.log(`\nLearnt: the interval told held the truth in ${share} % of ${held.length} cases (aim: 80 %).`);
const fellBack = [...first, ...kin, ...later].reduce((sum, { ours }) => sum + ours.fellBack, 0);
if (fellBack > 0) {
  console.error(`ours moved backwards ${fellBack} times`);
  process.exitCode = 1;
}
