import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { catalogueOf, promptsIn, workflowOf } from './test-support/readings.ts';
import { validateAgainst } from './validate.ts';
import { parseWorkflow } from './workflow.ts';

const recordings = new URL('../../../test/fixtures/comfyui-recordings/', import.meta.url);
const textOf = (file: string): string => readFileSync(new URL(file, recordings), 'utf8');
const prompts = readdirSync(recordings)
  .filter((file) => file.endsWith('.jsonl'))
  .flatMap((file) => promptsIn(file, textOf(file)));
const accepted = prompts.filter(
  ({ status, nodeErrors }) => status === 200 && Object.keys(nodeErrors).length === 0,
);
const refused = prompts.filter(({ status }) => status === 400);
/** Classes of the recorded server that its object-info.json, core nodes only, leaves out. */
const probe = (required: object, output: readonly string[], outputNode = false): object => ({
  input: { required },
  output,
  output_node: outputNode,
});
const seed = ['INT', { min: 0 }];
const probes = {
  ProbeSteps: probe({ steps: ['INT', {}], delay: ['FLOAT', {}], seed, preview: ['BOOLEAN', {}] }, ['INT']),
  ProbeErr: probe({ kind: ['STRING', {}], x: ['FLOAT', {}] }, ['*']),
  ProbeInt: probe({ seed }, ['INT']),
  ProbeOut: probe({ v: ['*', {}] }, [], true),
  ProbeNaN: probe({ seed }, [], true),
};
const recorded = catalogueOf(
  textOf('object-info.json')
    .trimEnd()
    .replace(/\}$/, `,${JSON.stringify(probes).slice(1)}`),
);
const demo = catalogueOf(
  readFileSync(new URL('../../../demo/comfyui/object-info.json', import.meta.url), 'utf8'),
);

/** What we say: node id → error types, and ComfyUI's word for the whole where a catalogue was needed. */
const ourAnswer = (prompt: unknown): { type?: unknown; nodes: Record<string, readonly string[]> } => {
  const reading = parseWorkflow(prompt);
  const verdict = reading.kind === 'ok' ? validateAgainst(reading.workflow, recorded) : reading;
  if (verdict.kind === 'ok') throw new Error('accepted');
  const nodes = Object.entries(verdict.nodeErrors ?? {}).map(
    ([id, { errors }]) => [id, errors.map(({ type }) => type)] as const,
  );
  return { ...('type' in verdict ? { type: verdict.type } : {}), nodes: Object.fromEntries(nodes) };
};

describe('what a real ComfyUI accepted', () => {
  test('is there, in numbers', () => {
    expect(accepted.length).toBeGreaterThanOrEqual(15);
    expect(refused).toHaveLength(9);
  });

  test.each(accepted.map((prompt, index) => [`${prompt.file} #${index}`, prompt.prompt] as const))(
    'passes: %s',
    (_name, prompt) => {
      expect(validateAgainst(workflowOf(prompt), recorded)).toEqual({ kind: 'ok' });
    },
  );

  test('passes the demo pod as well, where it has the classes', () => {
    const known = accepted
      .map(({ prompt }) => workflowOf(prompt))
      .filter((workflow) =>
        [...workflow.values()].every(({ classType }) => Object.hasOwn(demo.classes, classType)),
      );
    expect(known.length).toBeGreaterThanOrEqual(5);
    for (const workflow of known) expect(validateAgainst(workflow, demo)).toEqual({ kind: 'ok' });
  });
});

describe('what a real ComfyUI refused is refused, at the same nodes and for the same reasons', () => {
  const byError = refused.filter(({ nodeErrors }) =>
    Object.values(nodeErrors)
      .flat()
      .every((type) => !type.startsWith('exception_during_')),
  );

  test.each(byError.map((prompt, index) => [`${index}: ${prompt.error}`, prompt] as const))(
    'refusal %s',
    (_name, { prompt, error, nodeErrors }) => {
      const ours = ourAnswer(prompt);
      if (error === 'invalid_prompt') {
        expect(ours).toEqual({ type: 'missing_node_type', nodes: { 3: ['missing_node_type'] } });
      } else {
        expect(ours.nodes).toEqual(nodeErrors);
      }
    },
  );

  test('no prompt and an empty prompt hold nothing to run', () => {
    expect(parseWorkflow(undefined)).toEqual({
      kind: 'invalid',
      message: expect.stringMatching(/is missing/),
    });
    expect(parseWorkflow({})).toEqual({ kind: 'invalid', message: 'the workflow holds no node' });
  });

  test('where Python only stumbled over a link, the same node is named with the reason', () => {
    const stumbled = refused.filter((prompt) => !byError.includes(prompt));
    expect(stumbled.map(({ nodeErrors }) => nodeErrors)).toEqual([
      { 2: ['exception_during_inner_validation'] },
      { 3: ['exception_during_validation'] },
    ]);
    expect(stumbled.map(({ prompt }) => ourAnswer(prompt).nodes)).toEqual([
      { 2: ['bad_linked_input'] },
      { 3: ['dependency_cycle'] },
    ]);
  });

  test('a dangling link that ComfyUI answered with 200 and a dropped output is named', () => {
    const [dropped, ...others] = prompts.filter(
      (prompt) => prompt.status === 200 && !accepted.includes(prompt),
    );
    expect(others).toEqual([]);
    expect(Object.keys(dropped!.nodeErrors)).toEqual(['4']);
    expect(ourAnswer(dropped!.prompt).nodes).toEqual({ 4: ['bad_linked_input'] });
  });
});
