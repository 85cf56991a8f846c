import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { workflowOfText } from './test-support/readings.ts';
import { catalogueWith, check, errorsOf, graph, messageOf } from './test-support/small-pod.ts';
import { validateAgainst, validateForPods } from './validate.ts';
import type { WorkflowNode } from './workflow.ts';

describe('inputs', () => {
  test('a required one is missed, even where it has a default; others are not', () => {
    const catalogue = catalogueWith(
      { x: ['INT', { default: 3 }], d: ['COMFY_AUTOGROW_V3', {}] },
      { y: ['MASK', {}] },
    );
    const verdict = check(catalogue, '');
    expect(errorsOf(verdict)).toEqual(['1: required_input_missing']);
    expect(messageOf(verdict)).toBe('node "1" ("Node"): the required input "x" is missing');
    expect(check(catalogue, '"x":3')).toEqual({ kind: 'ok' });
  });

  test('inputs that the class does not declare are left alone, links among them', () => {
    const catalogue = catalogueWith({});
    expect(check(catalogue, '"extra":7,"upload":"image","more":["10",9],"list":[1,2,3]')).toEqual({
      kind: 'ok',
    });
  });

  test('an input from the prototype chain is missing', () => {
    expect(errorsOf(check(catalogueWith({ toString: ['INT', {}] }), ''))).toEqual([
      '1: required_input_missing',
    ]);
  });
});

describe('links', () => {
  test.each<[string, unknown, string]>([
    ['the same type', ['INT', {}], '["10",0]'],
    ['a type into one of several', ['INT,FLOAT', {}], '["10",1]'],
    ['a type with blanks', ['FLOAT, INT', {}], '["10",0]'],
    ['anything into a type', ['IMAGE', {}], '["11",0]'],
    ['a type into anything', ['*', {}], '["10",2]'],
    ['a type into what matches', ['COMFY_MATCHTYPE_V3', {}], '["10",2]'],
    ['a type into a growing input', ['COMFY_AUTOGROW_V3', {}], '["10",2]'],
    ['a text into a choice', [['a'], {}], '["10",2]'],
    ['a choice into a choice', ['COMBO', { options: ['x'] }], '["12",0]'],
    ['a choice into text', ['STRING', {}], '["12",0]'],
    ['a widget turned into an input', ['FLOAT', { min: 0, max: 1 }], '["10",1]'],
    ['a slot behind the last of anything', ['IMAGE', {}], '["11",5]'],
  ])('%s fits', (_name, spec, link) => {
    expect(check(catalogueWith({ x: spec }), `"x":${link}`)).toEqual({ kind: 'ok' });
  });

  test('types that have nothing in common do not', () => {
    const verdict = check(catalogueWith({ x: ['IMAGE,MASK', {}] }), '"x":["10",2]');
    expect(errorsOf(verdict)).toEqual(['1: return_type_mismatch']);
    expect(messageOf(verdict)).toBe(
      'node "1" ("Node"): "x" takes "IMAGE,MASK", but slot 2 of node "10" ("Ints") gives "STRING"',
    );
  });

  test('a slot that the class does not have', () => {
    const verdict = check(catalogueWith({ x: ['IMAGE', {}] }), '"x":["10",3]');
    expect(errorsOf(verdict)).toEqual(['1: bad_linked_input']);
    expect(messageOf(verdict)).toMatch(/slot 3 of node "10" \("Ints"\), which has 3 outputs/);
  });

  test.each(['["10"]', '["10","0"]', '[10,0]', '[]', '["10",0,0]', '[["10",0]]'])(
    'a list that is no link is refused where the class declares the input: %s',
    (value) => {
      expect(errorsOf(check(catalogueWith({ x: ['INT', {}] }), `"x":${value}`))).toEqual([
        '1: bad_linked_input',
      ]);
    },
  );

  test('outputs that ComfyUI did not describe take any slot', () => {
    expect(check(catalogueWith({}, {}, 'IMAGE'), '')).toEqual({ kind: 'ok' });
  });
});

describe('what leads to no output', () => {
  const catalogue = catalogueWith({ x: ['INT', {}] });

  test('is not looked at', () => {
    const text =
      '{"1":{"class_type":"Node","inputs":{}},"2":{"class_type":"Show","inputs":{"any":["3",0]}},"3":{"class_type":"Any","inputs":{}}}';
    expect(validateAgainst(workflowOfText(text), catalogue)).toEqual({ kind: 'ok' });
  });

  test('still must be of a known class', () => {
    const verdict = check(
      catalogue,
      '"x":1',
      ',"20":{"class_type":"Shwo","inputs":{}},"21":{"class_type":"Zqk","inputs":{}}',
    );
    expect(errorsOf(verdict)).toEqual(['20: missing_node_type', '21: missing_node_type']);
    expect(messageOf(verdict)).toMatch(/no node class "Shwo" here; did you mean .*"Show"/);
  });

  test.each(['__proto__', 'constructor', 'toString'])('a class %s is unknown', (name) => {
    expect(errorsOf(check(catalogue, '"x":1', `,"20":{"class_type":"${name}","inputs":{}}`))).toEqual([
      '20: missing_node_type',
    ]);
  });

  test('a workflow of it alone is refused', () => {
    const verdict = validateAgainst(
      workflowOfText('{"1":{"class_type":"Node","inputs":{"x":1}}}'),
      catalogue,
    );
    expect(verdict).toEqual({
      kind: 'invalid',
      type: 'prompt_no_outputs',
      message: 'the workflow has no output node such as SaveImage: nothing would be kept',
      nodeErrors: {},
    });
  });
});

describe('several outputs', () => {
  const catalogue = catalogueWith({ x: ['INT', {}] });
  const bad = '"1":{"class_type":"Node","inputs":{}},"2":{"class_type":"Show","inputs":{"any":["1",0]}}';
  const good = '"3":{"class_type":"Any","inputs":{}},"4":{"class_type":"Show","inputs":{"any":["3",0]}}';

  test('one sound one is enough, and what would be dropped is told', () => {
    const verdict = validateAgainst(workflowOfText(`{${bad},${good}}`), catalogue);
    expect(verdict.kind).toBe('ok');
    expect(errorsOf(verdict)).toEqual(['1: required_input_missing']);
  });

  test('one node spoils all that need it, and is named once', () => {
    const more =
      '"5":{"class_type":"Show","inputs":{"any":["2",0]}},"6":{"class_type":"Show","inputs":{"any":["1",0]}}';
    const verdict = validateAgainst(workflowOfText(`{${bad},${more}}`), catalogue);
    expect(verdict.kind).toBe('invalid');
    expect(errorsOf(verdict)).toContain('1: required_input_missing');
    expect(errorsOf(verdict).filter((error) => error.startsWith('1:'))).toHaveLength(1);
  });
});

test('nodes behind a growing input are needed, those behind an undeclared one are not', () => {
  const catalogue = catalogueWith({ images: ['COMFY_AUTOGROW_V3', {}], y: ['INT', {}] }, {});
  const inner = ',"30":{"class_type":"Node","inputs":{}}';
  expect(errorsOf(check(catalogue, '"y":1,"images.image0":["30",0]', inner))).toEqual([
    '30: required_input_missing',
  ]);
  expect(check(catalogue, '"y":1,"other.image0":["30",0]', inner)).toEqual({ kind: 'ok' });
});

test('a chain of ten thousand nodes with an error at its end is followed', () => {
  const catalogue = catalogueWith({ x: ['IMAGE', {}] });
  const nodes = Array.from({ length: 9_999 }, (_, id) => {
    const inputs = id === 0 ? '' : `"x":["n${id - 1}",0]`;
    return `"n${id}":{"class_type":"Node","inputs":{${inputs}}}`;
  });
  const text = `{${nodes.join(',')},"s":{"class_type":"Save","inputs":{"images":["n9998",0]}}}`;
  expect(errorsOf(validateAgainst(workflowOfText(text), catalogue))).toEqual(['n0: required_input_missing']);
});

test('of thousands of errors fifty are listed, and all are counted', () => {
  const options = Array.from({ length: 5_000 }, (_, at) => `choice-${at}`);
  const catalogue = catalogueWith({ x: [options] });
  const nodes = Array.from(
    { length: 300 },
    (_, id) =>
      `"n${id}":{"class_type":"Node","inputs":{"x":"wrong"}},"s${id}":{"class_type":"Save","inputs":{"images":["n${id}",0]}}`,
  );
  const verdict = validateAgainst(workflowOfText(`{${nodes.join(',')}}`), catalogue);
  expect(messageOf(verdict)).toMatch(/\(and 299 more\)$/);
  expect(errorsOf(verdict)).toHaveLength(50);
});

describe('several pods', () => {
  const strict = catalogueWith({ x: ['INT', { max: 1 }], y: ['INT', { max: 1 }] });
  const medium = catalogueWith({ x: ['INT', { max: 1 }] });
  const lax = catalogueWith({ x: ['INT', {}] });
  const workflow = workflowOfText(graph('"x":5,"y":5'));

  test('none known: all passes', () => {
    expect(validateForPods(workflow, [])).toEqual({ kind: 'ok' });
  });

  test('one that accepts is enough', () => {
    expect(validateForPods(workflow, [strict, lax, medium])).toEqual({ kind: 'ok' });
  });

  test('else the one that objects least answers', () => {
    const verdict = validateForPods(workflow, [strict, medium, strict]);
    expect(errorsOf(verdict)).toEqual(['1: value_bigger_than_max']);
  });
});

test('names that a stranger chose cannot break a line or turn it around', () => {
  const name = 'x\\nSet-Cookie: a\\u2028b\\u202e';
  const catalogue = catalogueWith({ x: [['a']] });
  const message = messageOf(check(catalogue, `"x":"${name}"`, `,"${name}":{"class_type":"Any","inputs":{}}`));
  expect(message).not.toMatch(/[\u202e\u2028\n]/);
});

test('no workflow and no catalogue make the validation throw', () => {
  const link = fc.tuple(fc.constantFrom('a', 'b', 'gone'), fc.integer({ min: -1, max: 3 }));
  const node = fc.record({
    classType: fc.constantFrom('Node', 'Show', 'Save', 'Other'),
    inputs: fc.dictionary(fc.constantFrom('x', 'y', 'any', 'images'), fc.oneof(link, fc.jsonValue())),
  });
  const spec = fc.oneof(
    fc.tuple(
      fc.constantFrom('INT', 'FLOAT', 'COMBO', 'IMAGE', '*'),
      fc.dictionary(fc.constantFrom('min', 'max', 'options'), fc.jsonValue()),
    ),
    fc.tuple(fc.array(fc.string())),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), node),
      fc.dictionary(fc.constantFrom('x', 'y'), spec),
      (nodes, required) => {
        const entries = Object.entries(nodes).map(
          ([id, { classType, inputs }]) =>
            [id, { classType, inputs: new Map(Object.entries(inputs)) }] as [string, WorkflowNode],
        );
        const verdict = validateAgainst(new Map(entries), catalogueWith(required));
        expect(['ok', 'invalid']).toContain(verdict.kind);
      },
    ),
  );
});

test('a workflow whose declared inputs are all as declared passes', () => {
  const value = fc.record({ x: fc.integer({ min: -10, max: 10 }), y: fc.constantFrom('a', 'b') });
  const catalogue = catalogueWith({ x: ['INT', { min: -10, max: 10 }], y: [['a', 'b']] });
  fc.assert(
    fc.property(value, ({ x, y }) => {
      expect(check(catalogue, `"x":${x},"y":"${y}"`)).toEqual({ kind: 'ok' });
    }),
  );
});
