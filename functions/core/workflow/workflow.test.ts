import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'lossless-json';
import { workflowOfText } from './test-support/readings.ts';
import { parseWorkflow, type NodeErrors } from './workflow.ts';

const refusal = (value: unknown): { message: string; nodeErrors?: NodeErrors } => {
  const reading = parseWorkflow(value);
  if (reading.kind === 'ok') throw new Error('accepted');
  expect(reading.message).not.toMatch(/[\n\r\u2028]/);
  expect(reading.message.length).toBeLessThanOrEqual(300);
  return reading;
};

const refusalOf = (text: string): ReturnType<typeof refusal> => refusal(parse(text));
const node = (inputs: Record<string, unknown>, classType = 'A'): unknown => ({
  class_type: classType,
  inputs,
});

describe('a workflow in API format', () => {
  test('is read node by node, numbers with all their digits', () => {
    const workflow = workflowOfText(
      '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":8.0,"model":["4",0]},"_meta":{"title":"größer"}},"4":{"class_type":"L","inputs":{}}}',
    );
    expect([...workflow.keys()]).toEqual(['3', '4']);
    expect(workflow.get('3')).toMatchObject({ classType: 'KSampler', title: 'größer' });
    expect(String(workflow.get('3')!.inputs.get('seed'))).toBe('18446744073709551615');
    expect(String(workflow.get('3')!.inputs.get('cfg'))).toBe('8.0');
    expect(workflow.get('4')).toEqual({ classType: 'L', inputs: new Map() });
  });

  test('may name nodes and inputs like members of the prototype', () => {
    const text =
      '{"__proto__":{"class_type":"A","inputs":{"__proto__":{"polluted":1}}},"constructor":{"class_type":"toString","inputs":{"x":["__proto__",0]}}}';
    const workflow = workflowOfText(text);
    expect([...workflow.keys()].toSorted()).toEqual(['__proto__', 'constructor']);
    expect([...workflow.get('__proto__')!.inputs.keys()]).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /missing/],
    ['null', null, /must be an object/],
    ['a list', [], /must be an object/],
    ['a text', 'x', /must be an object/],
    ['a number', parse('7'), /must be an object/],
    ['an empty object', {}, /holds no node/],
    ['a UI export', { nodes: [], links: [], version: 0.4 }, /UI-format export.*Export \(API\)/],
    ['a node that is a number', parse('{"1":5}'), /node "1" must be an object/],
    ['a node without class_type', { '1': {} }, /node "1" has no class_type/],
    [
      'a class_type from the prototype chain',
      parse('{"1":{"__proto__":{"class_type":"A"}}}'),
      /no class_type/,
    ],
    ['a numeric class_type', { '1': { class_type: 7, inputs: {} } }, /no class_type/],
    ['an empty class_type', { '1': { class_type: '', inputs: {} } }, /no class_type/],
    ['no inputs', { '1': { class_type: 'KSampler' } }, /"1" \("KSampler"\) has no inputs object/],
    ['inputs as a list', { '1': { class_type: 'KSampler', inputs: [] } }, /no inputs object/],
    ['LoadImageOutput', { '1': node({}, 'LoadImageOutput') }, /files of every user.*POST \/api\/v1\/files/],
    [
      'a folder of inputs',
      { '1': node({}, 'LoadImageSetFromFolderNode') },
      /LoadImageSetFromFolderNode: it lists the files/,
    ],
    ['SaveImageWebsocket', { '1': node({}, 'SaveImageWebsocket') }, /cannot be stored; use SaveImage/],
    ['an endless class_type', { '1': node({}, 'x'.repeat(1e6)) }, /more than 256 characters/],
    ['an endless node id', { ['x'.repeat(1e6)]: node({}) }, /more than 256 characters/],
  ])('%s is refused', (_name, value, message) => {
    expect(refusal(value).message).toMatch(message);
  });

  test.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('%s nested a hundred levels pass, one more is refused', (_name, open, close) => {
    const nested = (levels: number): string => {
      const value = `${open.repeat(levels - 3)}1${close.repeat(levels - 3)}`;
      return `{"1":{"class_type":"A","inputs":{"x":${value}}}}`;
    };
    expect(workflowOfText(nested(100)).size).toBe(1);
    expect(refusalOf(nested(101)).message).toBe('the workflow is nested more than 100 levels deep');
  });
});

describe('size', () => {
  const chain = (length: number): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length }, (_, id) => [`n${id}`, node(id === 0 ? {} : { x: [`n${id - 1}`, parse('0')] })]),
    );

  test('a chain of ten thousand nodes passes, forwards and backwards', () => {
    expect(parseWorkflow(chain(10_000)).kind).toBe('ok');
    expect(parseWorkflow(Object.fromEntries(Object.entries(chain(10_000)).toReversed())).kind).toBe('ok');
  });

  test('one node more is refused', () => {
    expect(refusal(chain(10_001)).message).toBe('the workflow has 10001 nodes; at most 10000 are allowed');
  });

  test('a cycle of ten thousand nodes is named in a line', () => {
    const cycle = { ...chain(10_000), n0: node({ x: ['n9999', parse('0')] }) };
    expect(refusal(cycle).message).toMatch(/n\d+ → .*\(\d+ more\).* → n\d+/);
  });

  test('of many errors fifty are listed, and all are counted', () => {
    const nodes = Array.from(
      { length: 200 },
      (_, id) => [`n${id}`, node({ x: ['gone', parse('0')] })] as const,
    );
    const { message, nodeErrors } = refusal(Object.fromEntries(nodes));
    expect(message).toMatch(/\(and 199 more\)$/);
    expect(Object.values(nodeErrors!).flatMap(({ errors }) => errors)).toHaveLength(50);
  });
});

describe('links', () => {
  test('a link to a node that is not there is named', () => {
    const { message, nodeErrors } = refusalOf('{"3":{"class_type":"KSampler","inputs":{"model":["99",0]}}}');
    expect(message).toBe('node "3" ("KSampler"): input "model" links to node "99", which is not there');
    expect(nodeErrors).toEqual({
      '3': {
        classType: 'KSampler',
        errors: [
          { type: 'bad_linked_input', message: expect.stringContaining('"99"') as unknown, input: 'model' },
        ],
      },
    });
  });

  test.each(['-1', '1.5', '1e3', '99999999999999999999'])('slot %s is refused', (slot) => {
    const { message } = refusalOf(
      `{"1":{"class_type":"A","inputs":{}},"2":{"class_type":"B","inputs":{"x":["1",${slot}]}}}`,
    );
    expect(message).toContain(`slot ${slot} of node "1"`);
  });

  test.each([
    '["a"]',
    '["a",0,1]',
    '["a","b"]',
    '[1,2]',
    '[]',
    '["a",null]',
    '[["a",0],["b",1]]',
    '{"x":["a",0]}',
  ])('what ComfyUI takes for a value is no link: %s', (value) => {
    expect(workflowOfText(`{"1":{"class_type":"A","inputs":{"x":${value}}}}`).size).toBe(1);
  });

  test('a link to a member of the prototype is dangling', () => {
    expect(refusalOf('{"1":{"class_type":"A","inputs":{"x":["toString",0]}}}').message).toMatch(
      /is not there/,
    );
  });
});

describe('cycles', () => {
  test('are named in the direction of the links', () => {
    const { message, nodeErrors } = refusalOf(
      '{"3":{"class_type":"A","inputs":{"x":["5",0]}},"5":{"class_type":"B","inputs":{"y":["3",0]}}}',
    );
    expect(message).toBe('node "5" ("B"): the links form a cycle: 3 → 5 → 3');
    expect(nodeErrors).toMatchObject({ '5': { errors: [{ type: 'dependency_cycle', input: 'y' }] } });
  });

  test('a node that links to itself', () => {
    expect(refusalOf('{"3":{"class_type":"A","inputs":{"x":["3",0]}}}').message).toContain('3 → 3');
  });

  test('two ways to one node are none', () => {
    const text =
      '{"1":{"class_type":"A","inputs":{}},"2":{"class_type":"A","inputs":{"x":["1",0],"y":["1",1]}},"3":{"class_type":"A","inputs":{"x":["2",0],"y":["1",0]}}}';
    expect(workflowOfText(text).size).toBe(3);
  });

  test('a graph is refused exactly when following its links never ends', () => {
    const graphs = fc
      .integer({ min: 1, max: 8 })
      .chain((size) =>
        fc.array(fc.uniqueArray(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }),
      );
    fc.assert(
      fc.property(graphs, (links) => {
        // Removing nodes without open links until none is left tells the same in another way.
        let left = links.map((targets, id) => ({ id, targets }));
        for (let before = -1; before !== left.length;) {
          before = left.length;
          const ids = new Set(left.map(({ id }) => id));
          left = left.filter(({ targets }) => targets.some((target) => ids.has(target)));
        }
        const nodes = links.map((targets, id) => [
          `n${id}`,
          node(Object.fromEntries(targets.map((target, at) => [`i${at}`, [`n${target}`, parse('0')]]))),
        ]);
        expect(parseWorkflow(Object.fromEntries(nodes)).kind).toBe(left.length === 0 ? 'ok' : 'invalid');
      }),
    );
  });
});

test('no value makes the reader throw', () => {
  fc.assert(fc.property(fc.anything(), (value) => void parseWorkflow(value)));
  fc.assert(
    fc.property(fc.json(), (text) => void parseWorkflow(parse(text))),
    { numRuns: 300 },
  );
});
