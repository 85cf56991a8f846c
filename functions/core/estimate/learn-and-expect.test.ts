import { describe, expect, test } from '@jest/globals';
import { expectedOf } from './expectations.ts';
import { learnClasses, learnWorkflow } from './learn-run.ts';
import { EMPTY_PROFILE, statTexts, type Profile } from './profile.ts';
import { shapeOf, type WorkflowShape } from './workflow-shape.ts';

const shape = (steps = 20, prefix = ''): WorkflowShape => {
  const read = shapeOf({
    [`${prefix}load`]: { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a.safetensors' } },
    [`${prefix}sample`]: { class_type: 'KSampler', inputs: { model: [`${prefix}load`, 0], steps } },
    [`${prefix}save`]: { class_type: 'SaveImage', inputs: { images: [`${prefix}sample`, 0] } },
  });
  if (read === undefined) throw new Error('no workflow');
  return read;
};

const run = (durations: Readonly<Record<string, number>>, totalMs: number | null = null, jobId = 'job') => ({
  jobId,
  durations: new Map(Object.entries(durations)),
  totalMs,
});

const after = (runs: readonly ReturnType<typeof run>[], of = shape()): Profile =>
  runs.reduce((profile, each) => learnWorkflow(profile, of, each), EMPTY_PROFILE);

describe('learning', () => {
  test('follows what is measured, and knows how far it spreads', () => {
    const steady = after(Array.from({ length: 10 }, () => run({ sample: 4000 })));
    expect(steady.warm.get('sample')?.mean).toBeCloseTo(200);
    expect(steady.warm.get('sample')?.deviation).toBeLessThan(20);
    const faster = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].reduce(
      (profile) => learnWorkflow(profile, shape(), run({ sample: 2000 })),
      steady,
    );
    expect(faster.warm.get('sample')?.mean).toBeLessThan(125);
  });

  test('counts one run that was held up as four times the others, and believes the first three', () => {
    const times = (...list: readonly number[]) => after(list.map((sample) => run({ sample })));
    const held = times(4000, 4000, 4000, 600_000).warm.get('sample');
    expect(held?.mean).toBeCloseTo(200 + 0.25 * (800 - 200));
    expect(times(4000, 600_000).warm.get('sample')?.mean).toBeGreaterThan(10_000);
    const long = times(4000, 4000, 4000, ...Array.from({ length: 15 }, () => 60_000));
    expect(long.warm.get('sample')?.mean).toBeGreaterThan(2500);
  });

  test('does not cut what a node takes that took nothing before, up to a second', () => {
    const times = (last: number) =>
      after([0, 0, 0, last].map((save) => run({ save }))).warm.get('save')?.mean;
    expect(times(900)).toBeCloseTo(0.25 * 900);
    expect(times(9000)).toBeCloseTo(0.25 * 1000);
  });

  test('keeps runs that loaded a model apart from those that did not', () => {
    const profile = after([
      run({ load: 20_000, sample: 10_000 }),
      run({ sample: 4000 }),
      run({ sample: 4000 }),
    ]);
    expect(profile.cold.get('sample')?.mean).toBeCloseTo(500);
    expect(profile.warm.get('sample')?.mean).toBeCloseTo(200);
    expect(profile.warm.has('load')).toBe(false);
  });

  test('believes no time that is none, and no node that is not there', () => {
    const profile = after([run({ sample: Number.NaN, save: -5, load: 1e12, other: 7, __proto__: 3 })]);
    expect(profile).toMatchObject({ runs: 1 });
    expect(profile.warm.size + profile.cold.size).toBe(0);
  });

  test('a profile of any workflow stays below 2 KB, with what takes longest', () => {
    const nodes = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [
        `a-long-name-of-a-node-${i}`,
        { class_type: `Class${i}`, inputs: {} },
      ]),
    );
    const large = shapeOf(nodes);
    if (large === undefined) throw new Error('no workflow');
    const times = Object.fromEntries(Object.keys(nodes).map((id, i) => [id, 10 + i]));
    const profile = learnClasses(learnWorkflow(EMPTY_PROFILE, large, run(times)), large, run(times));
    const bytes = [profile.warm, profile.cold].map((stats) => JSON.stringify(statTexts(stats)).length);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(850);
    const workflow = learnWorkflow(EMPTY_PROFILE, large, run(times));
    expect([...workflow.warm.keys()][0]).toBe('a-long-name-of-a-node-499');
    expect(workflow.other?.mean).toBeGreaterThan(100);
    const expected = expectedOf(large, { profile: workflow, classes: undefined });
    expect(Buffer.byteLength(JSON.stringify(expected))).toBeLessThan(8192);
  });
});

describe('expectations', () => {
  const profile = after([
    run({ load: 20_000, sample: 10_000, save: 300 }, 30_600),
    run({ sample: 4000, save: 300 }, 4400),
  ]);

  test('scale with the steps, tell cold from warm, and name what loads', () => {
    const expected = expectedOf(shape(40), { profile, classes: undefined });
    expect(expected.nodes).toMatchObject({ sample: [8000, 2000], save: [300, 75] });
    expect(expected.cold).toEqual({ sample: [20_000, 5000] });
    expect(expected.nodes['load']?.[0]).toBe(20_000);
    expect(expected.loads).toEqual(['load']);
    expect(expected.wall).toBeCloseTo(1.01, 1);
  });

  test('of a workflow never seen come from its classes, and are less sure', () => {
    const classes = learnClasses(EMPTY_PROFILE, shape(), run({ sample: 4000 }));
    const expected = expectedOf(shape(20, 'x'), { profile: undefined, classes });
    expect(expected.nodes).toEqual({ xsample: [4000, 1600] });
    expect(expected.wall).toBeUndefined();
  });

  test.each([
    ['of a workflow never seen', undefined],
    ['of another workflow than the one that is known', profile],
  ])('%s are guesses, and no times', (_name, known) => {
    const expected = expectedOf(shape(20, 'x'), { profile: known, classes: undefined });
    expect(expected.nodes).toEqual({});
    expect(expected).toMatchObject({
      guesses: { xsample: [6000, 20], xload: [6000, 1], xsave: [300, 1] },
      loads: ['xload'],
    });
  });

  test('guess in proportion to what is known, of the rest alone', () => {
    const slow = learnClasses(EMPTY_PROFILE, shape(), run({ sample: 60_000 }));
    const expected = expectedOf(shape(20, 'x'), { profile: undefined, classes: slow });
    expect(expected.nodes).toEqual({ xsample: [60_000, 24_000] });
    expect(expected.guesses).toEqual({ xload: [60_000, 1], xsave: [3000, 1] });
    const stuck = learnClasses(EMPTY_PROFILE, shape(), run({ sample: 80_000_000 }));
    expect(expectedOf(shape(20, 'x'), { profile: undefined, classes: stuck }).guesses).toMatchObject({
      xload: [300_000, 1],
    });
  });
});
