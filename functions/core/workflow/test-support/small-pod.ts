/** For tests: a pod with a handful of classes, and a workflow of one node of the class in question. */
import { expect } from '@jest/globals';
import type { Catalogue } from '../catalogue.ts';
import { validateAgainst, type Verdict } from '../validate.ts';
import { catalogueOf, workflowOfText } from './readings.ts';

/** A class `Node` with these inputs, a source of each type, and an output node. */
export const catalogueWith = (
  required: object,
  optional: object = {},
  output: unknown = ['IMAGE'],
): Catalogue =>
  catalogueOf(
    JSON.stringify({
      Node: { input: { required, optional }, output, output_node: false },
      Ints: { input: { required: {} }, output: ['INT', 'FLOAT', 'STRING'], output_node: false },
      Any: { input: { required: {} }, output: ['*'], output_node: false },
      Choice: { input: { required: {} }, output: [['a', 'b']], output_node: false },
      Save: { input: { required: { images: ['IMAGE', {}] } }, output: [], output_node: true },
      Show: { input: { required: { any: ['*', {}] } }, output: [], output_node: true },
    }),
  );

export const graph = (inputs: string, more = ''): string =>
  `{"1":{"class_type":"Node","inputs":{${inputs}}},"2":{"class_type":"Show","inputs":{"any":["1",0]}},"10":{"class_type":"Ints","inputs":{}},"11":{"class_type":"Any","inputs":{}},"12":{"class_type":"Choice","inputs":{}}${more}}`;

export const check = (catalogue: Catalogue, inputs: string, more?: string): Verdict =>
  validateAgainst(workflowOfText(graph(inputs, more)), catalogue);

/** `id: type` of every error. */
export const errorsOf = (verdict: Verdict): readonly string[] =>
  Object.entries(verdict.nodeErrors ?? {}).flatMap(([id, { errors }]) =>
    errors.map(({ type }) => `${id}: ${type}`),
  );

export const messageOf = (verdict: Verdict): string => {
  if (verdict.kind === 'ok') throw new Error('accepted');
  expect(verdict.message).not.toMatch(/[\n\r\u2028]/);
  expect(verdict.message.length).toBeLessThanOrEqual(300);
  for (const { errors } of Object.values(verdict.nodeErrors)) {
    for (const { message } of errors) expect(message.length).toBeLessThanOrEqual(300);
  }
  return verdict.message;
};
