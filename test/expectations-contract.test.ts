/** What the dispatcher writes into a prompt is what the monitor reads out of it: neither imports the other. */
import { expect, test } from '@jest/globals';
import { expectedOf } from '../functions/core/estimate/expectations.ts';
import { learnClasses, learnWorkflow } from '../functions/core/estimate/learn-run.ts';
import { EMPTY_PROFILE } from '../functions/core/estimate/profile.ts';
import { shapeOf } from '../functions/core/estimate/workflow-shape.ts';
import { readExpectations, type Expectations } from '../monitor/core/expectations.ts';

const WORKFLOW = Object.fromEntries(
  Array.from({ length: 300 }, (_, i) => [
    `n${i}`,
    { class_type: `Class${i % 7}`, inputs: i % 50 === 0 ? { model_name: 'a.safetensors' } : {} },
  ]),
);

test('every time, class, loader and factor arrives, in less than 8 KB', () => {
  const shape = shapeOf(WORKFLOW);
  if (shape === undefined) throw new Error('no workflow');
  const all = [...shape.nodes.keys()];
  const slow = { jobId: 'a', durations: new Map(all.map((id, i) => [id, 900 + i])), totalMs: 300_000 };
  const quick = { jobId: 'b', durations: new Map(all.map((id, i) => [id, 10 + i])), totalMs: 40_000 };
  const cold = learnWorkflow(EMPTY_PROFILE, shape, slow);
  const profile = learnWorkflow(cold, shape, {
    ...quick,
    durations: new Map([...quick.durations].filter(([id]) => shape.nodes.get(id)?.loadsModel === false)),
  });
  const expected = expectedOf(shape, { profile, classes: learnClasses(EMPTY_PROFILE, shape, quick) });
  expect(expected.guesses).toBeUndefined();
  const text = JSON.stringify(expected);
  expect(Buffer.byteLength(text)).toBeLessThan(8192);
  const read = readExpectations(JSON.parse(text));
  const times = (of: Expectations['nodes'] | undefined) =>
    Object.fromEntries([...(of ?? [])].map(([key, { ms, deviation }]) => [key, [ms, deviation]]));
  expect(times(read?.nodes)).toEqual(expected.nodes);
  expect(times(read?.cold)).toEqual(expected.cold);
  expect(times(read?.classes)).toEqual(expected.classes);
  expect(Object.keys(expected.classes ?? {}).length).toBeGreaterThan(0);
  expect(read?.loads).toEqual(expected.loads);
  expect(read?.wall).toBe(expected.wall);
});

test('guesses arrive where nothing was measured, in less than 8 KB', () => {
  const shape = shapeOf(WORKFLOW);
  if (shape === undefined) throw new Error('no workflow');
  const expected = expectedOf(shape, { profile: undefined, classes: undefined });
  const text = JSON.stringify(expected);
  expect(Buffer.byteLength(text)).toBeLessThan(8192);
  const read = readExpectations(JSON.parse(text));
  const guesses = [...(read?.guesses ?? [])].map(([id, { ms, steps }]) => [id, [ms, steps]] as const);
  expect(Object.fromEntries(guesses)).toEqual(expected.guesses);
  expect(guesses.length).toBeGreaterThan(50);
});
