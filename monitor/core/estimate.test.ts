import { describe, expect, test } from '@jest/globals';
import { estimateOf, etaOf, percentageOf } from './estimate.ts';
import { readExpectations } from './expectations.ts';
import { openJob, outlineOf, type Job, type NodeRun } from './job.ts';

const T0 = 1_000_000;

const WORKFLOW = {
  load: { class_type: 'CheckpointLoaderSimple', inputs: {} },
  sample: { class_type: 'KSampler', inputs: { model: ['load', 0] } },
  again: { class_type: 'KSampler', inputs: { latent: ['sample', 0] } },
  save: { class_type: 'SaveImage', inputs: { images: ['again', 0] } },
};

const EXPECTED = {
  nodes: { load: [1000, 100], sample: [10_000, 500], again: [4000, 200], save: [1000, 50] },
  cold: { load: [20_000, 2000] },
  loads: ['load'],
  wall: 1,
};

/** Without an expectation of that name where `expected` is null. */
const jobOf = (runs: readonly Partial<NodeRun>[], expected: unknown = EXPECTED): Job => {
  const prompt = { promptId: 'p', workflow: WORKFLOW, extraData: {}, outputNodeIds: ['save'], number: 0 };
  const nodes = runs.map((run): [string, NodeRun] => {
    const nodeId = run.nodeId ?? '';
    return [
      nodeId,
      { nodeId, displayNodeId: nodeId, state: 'running', value: 0, max: 1, changedAt: T0, ...run },
    ];
  });
  return {
    ...openJob('p', T0, 'ours'),
    startedAt: T0,
    workflow: outlineOf(prompt, 100),
    expectations: readExpectations(expected),
    nodes: new Map(nodes),
  };
};

const cached = (nodeId: string): Partial<NodeRun> => ({ nodeId, state: 'cached', value: 1 });
const finished = (nodeId: string, startedAt: number, finishedAt: number): Partial<NodeRun> => ({
  nodeId,
  state: 'finished',
  startedAt,
  finishedAt,
});
/** Steps that began to count one step after the start, a step every `each` ms. */
const sampler = (nodeId: string, value: number, each: number): Partial<NodeRun> => ({
  nodeId,
  startedAt: T0,
  value,
  max: 20,
  stepsFrom: { value: 1, at: T0 + each },
  changedAt: T0 + value * each,
});

const percentage = (job: Job, now: number): number => {
  const estimate = estimateOf(job, now);
  return estimate === undefined ? Number.NaN : percentageOf(estimate);
};
const middle = (job: Job, now: number): number => {
  const eta = etaOf(job, now);
  return eta === null ? Number.NaN : (eta.lowSeconds + eta.highSeconds) / 2;
};

describe('with history', () => {
  test('a cached node leaves the total, and the rest weighs what it takes', () => {
    const job = jobOf([cached('load'), finished('sample', T0, T0 + 10_000)]);
    expect(percentage(job, T0 + 10_000)).toBeCloseTo((100 * 10) / 15, 5);
    expect(middle(job, T0 + 10_000)).toBeCloseTo(5, 0);
  });

  test('a model that must be loaded first is in the time left, one from the cache is not', () => {
    expect(middle(jobOf([cached('load')]), T0)).toBeCloseTo(15, 0);
    const loading = { nodeId: 'load', startedAt: T0 };
    expect(middle(jobOf([loading]), T0)).toBeCloseTo(35, 0);
  });

  test('a node that says nothing of itself moves with the time that it takes, and never past its end', () => {
    const job = jobOf([{ nodeId: 'load', startedAt: T0 }]);
    const at = [0, 5000, 10_000, 20_000, 60_000].map((ms) => percentage(job, T0 + ms));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at[1]).toBeCloseTo((100 * 5) / 35, 0);
    expect(at[4]).toBeLessThan(90);
  });

  test('a sampler that is slower than ever is believed more with each step, and so is the next one', () => {
    const slow = (value: number): Job => jobOf([cached('load'), sampler('sample', value, 1000)]);
    const truth = (value: number): number => 20 - value + 8 + 1;
    const off = [3, 8, 15].map((value) => Math.abs(middle(slow(value), T0 + value * 1000) - truth(value)));
    expect(off[2]).toBeLessThan(off[0] ?? 0);
    expect(off[2]).toBeLessThan(1.5);
  });

  test('steps that would end far too soon are those of one pass of several', () => {
    const tile = jobOf([cached('load'), sampler('sample', 18, 10)]);
    expect(percentage(tile, T0 + 180)).toBeLessThan(5);
  });

  test('nodes that run in parallel end with the longest', () => {
    const both: readonly Partial<NodeRun>[] = [
      cached('load'),
      { nodeId: 'sample', startedAt: T0 },
      { nodeId: 'again', startedAt: T0 },
    ];
    const job = jobOf(both, { ...EXPECTED, wall: 11 / 15 });
    expect(middle(job, T0)).toBeCloseTo(11, 0);
    expect(middle(job, T0 + 3000)).toBeCloseTo(8, 0);
  });

  test('a class stands for its nodes, and a node of which nothing is known keeps the time untold', () => {
    const { save: _save, ...nodes } = EXPECTED.nodes;
    const classed = jobOf([cached('load')], { nodes, classes: { SaveImage: [3000, 10] } });
    expect(middle(classed, T0)).toBeCloseTo(17, 0);
    const unknown = jobOf([cached('load')], { nodes });
    expect(etaOf(unknown, T0)).toBeNull();
    expect(percentage(unknown, T0)).toBe(0);
  });

  test('nodes that an expansion adds are part of the node that they come from', () => {
    const job = jobOf([
      cached('load'),
      { nodeId: 'sample', startedAt: T0 },
      { nodeId: 'sample.0.1', startedAt: T0 },
    ]);
    expect(middle(job, T0)).toBeCloseTo(15, 0);
  });

  test('a wide history gives a wide interval', () => {
    const width = (deviation: number): number => {
      const eta = etaOf(
        jobOf([cached('load')], { nodes: { ...EXPECTED.nodes, sample: [10_000, deviation] } }),
        T0,
      );
      return (eta?.highSeconds ?? 0) - (eta?.lowSeconds ?? 0);
    };
    expect(width(4000)).toBeGreaterThan(2 * width(100));
  });
});

describe('without history', () => {
  test('nothing is told until two steps of a sampler are known', () => {
    expect(etaOf(jobOf([], null), T0)).toBeNull();
    const { stepsFrom: _none, ...first } = sampler('sample', 1, 500);
    expect(etaOf(jobOf([{ ...first, stepsFrom: { value: 1, at: T0 + 500 } }], null), T0 + 600)).toBeNull();
    expect(etaOf(jobOf([first], null), T0 + 600)).toBeNull();
  });

  test('the rate of the steps tells, and stands for the next sampler as well', () => {
    const job = jobOf([finished('load', T0, T0), sampler('sample', 10, 500)], null);
    const eta = etaOf(job, T0 + 5000);
    expect(eta?.lowSeconds).toBeLessThan(15);
    expect(eta?.highSeconds).toBeGreaterThan(15);
  });

  test('nothing is told while a node is to come that could take any time', () => {
    const workflow = {
      ...WORKFLOW,
      save: { class_type: 'ImageUpscaleWithModel', inputs: { image: ['again', 0] } },
    };
    const prompt = { promptId: 'p', workflow, extraData: {}, outputNodeIds: ['save'], number: 0 };
    const job = jobOf([finished('load', T0, T0), sampler('sample', 10, 500)], null);
    expect(etaOf({ ...job, workflow: outlineOf(prompt, 100) }, T0 + 5000)).toBeNull();
  });

  test('a count that fell back tells nothing', () => {
    const job = jobOf([{ ...sampler('sample', 10, 500), restarted: true }], null);
    expect(etaOf(job, T0 + 5000)).toBeNull();
  });
});

describe('with guesses alone', () => {
  const GUESSED = {
    nodes: {},
    guesses: { load: [6000, 1], sample: [6000, 20], again: [2000, 5], save: [400, 1] },
  };
  const guessed = (...runs: Partial<NodeRun>[]): Job => jobOf(runs, GUESSED);

  test('nodes weigh what their kind usually takes, and no time is told', () => {
    expect(percentage(guessed(finished('load', T0, T0 + 6000)), T0 + 6000)).toBeCloseTo((100 * 6) / 14.4, 0);
    expect(etaOf(guessed(finished('load', T0, T0 + 6000)), T0 + 6000)).toBeNull();
  });

  test('a card that is ten times slower is so for all nodes', () => {
    const job = guessed(finished('load', T0, T0 + 60_000));
    expect(percentage(job, T0 + 60_000)).toBeGreaterThan((100 * 6) / 14.4 - 1);
    expect(percentage(job, T0 + 60_000)).toBeLessThan((100 * 6) / 14.4 + 10);
  });

  test('a sampler does less than a step before its first, however long that takes', () => {
    const job = guessed(finished('load', T0, T0 + 6000), { nodeId: 'sample', startedAt: T0 + 6000 });
    const before = percentage(job, T0 + 6000);
    expect(percentage(job, T0 + 600_000) - before).toBeLessThan(100 / 14.4 / 2);
    const noOne = guessed(finished('load', T0, T0 + 6000), {
      nodeId: 'sample',
      startedAt: T0 + 6000,
      max: 20,
    });
    expect(percentage(noOne, T0 + 600_000) - before).toBeLessThan(100 / 14.4 / 2);
  });

  test('a node that says nothing moves with time, never to two thirds of all', () => {
    const at = (ms: number) => percentage(guessed({ nodeId: 'load', startedAt: T0 }), T0 + ms);
    expect([at(0), at(3000) > at(1000), at(12_000) > at(6000)]).toEqual([0, true, true]);
    expect(at(86_400_000)).toBeLessThan(67);
  });

  test('from two steps on, the rate of a sampler counts and not the guess', () => {
    const job = guessed(cached('load'), sampler('sample', 10, 3000));
    expect(percentage(job, T0 + 30_000)).toBeGreaterThan(30);
    expect(percentage(job, T0 + 30_000)).toBeLessThan(45);
  });

  test('a node that takes far longer than guessed weighs at most as much as all the others', () => {
    const job = jobOf([{ nodeId: 'load', startedAt: T0 }], { nodes: { sample: [20_000, 1000] } });
    expect(percentage(job, T0 + 3_600_000)).toBeLessThan(40);
  });
});
