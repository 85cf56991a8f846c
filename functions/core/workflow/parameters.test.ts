import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LosslessNumber, parse, stringify } from 'lossless-json';
import {
  applyInputs,
  fillFiles,
  parseParameters,
  type AppliedInputs,
  type ParameterTarget,
} from './parameters.ts';
import { workflowOfText } from './test-support/readings.ts';

const text =
  '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":8.0,"model":["4",0],"on":true}},' +
  '"4":{"class_type":"Loader","inputs":{}},' +
  '"6":{"class_type":"CLIPTextEncode","inputs":{"text":"a glass — größer","clip":["4",1]}},' +
  '"7":{"class_type":"CLIPTextEncode","inputs":{"text":""}},' +
  '"2.0.1":{"class_type":"A","inputs":{"x":1e0}},"10:3":{"class_type":"A","inputs":{"a.inputs.b":1,"c.d":"e"}},' +
  '"8":{"class_type":"LoadImage","inputs":{"image":"example.png"}}}';

const read = (value: unknown): ReturnType<typeof parseParameters> =>
  parseParameters(value, workflowOfText(text));

const parametersOf = (value: unknown): ReadonlyMap<string, ParameterTarget> => {
  const reading = read(value);
  if (reading.kind === 'invalid') throw new Error(reading.message);
  return reading.parameters;
};

const apply = (inputs: Record<string, unknown>, parameters: unknown = {}): AppliedInputs =>
  applyInputs(text, new Map(Object.entries(inputs)), parametersOf(parameters));

const applied = (
  inputs: Record<string, unknown>,
  parameters?: unknown,
): Extract<AppliedInputs, { kind: 'ok' }> => {
  const result = apply(inputs, parameters);
  if (result.kind === 'invalid') throw new Error(result.message);
  return result;
};

const refusal = (inputs: Record<string, unknown>, parameters?: unknown): string => {
  const result = apply(inputs, parameters);
  if (result.kind === 'ok') throw new Error('accepted');
  expect(result.message).not.toMatch(/[\n\u2028]/);
  expect(result.message.length).toBeLessThanOrEqual(300);
  return result.message;
};

const number = (digits: string): LosslessNumber => new LosslessNumber(digits);

describe('parameters', () => {
  test('name one target, or several', () => {
    expect([...parametersOf({ seed: '3.inputs.seed', prompt: ['6.inputs.text', '7.inputs.text'] })]).toEqual([
      ['seed', [{ nodeId: '3', input: 'seed' }]],
      [
        'prompt',
        [
          { nodeId: '6', input: 'text' },
          { nodeId: '7', input: 'text' },
        ],
      ],
    ]);
  });

  test('reach nodes of subgraphs and inputs with dots', () => {
    expect([...parametersOf({ a: '2.0.1.inputs.x', b: '10:3.inputs.c.d' }).values()].flat()).toEqual([
      { nodeId: '2.0.1', input: 'x' },
      { nodeId: '10:3', input: 'c.d' },
    ]);
  });

  test('are none when left out', () => {
    expect(read(undefined)).toEqual({ kind: 'ok', parameters: new Map() });
  });

  test('may be named like members of the prototype', () => {
    const parameters = parametersOf(parse('{"__proto__":"3.inputs.seed","constructor":"6.inputs.text"}'));
    expect([...parameters.keys()].toSorted()).toEqual(['__proto__', 'constructor']);
  });

  test.each<[string, unknown, RegExp]>([
    ['null', null, /must be an object/],
    ['a list', ['6.inputs.text'], /must be an object/],
    ['a number', parse('7'), /must be an object/],
    ['a node that is not there', { a: '99.inputs.text' }, /parameter "a": node "99" is not there/],
    ['an input that is not there', { a: '6.inputs.txt' }, /node "6" \("CLIPTextEncode"\) has no input "txt"/],
    ['a link', { a: '3.inputs.model' }, /input "model" of node "3" .* is a link/],
    ['an input of the prototype', { a: '6.inputs.toString' }, /has no input "toString"/],
    ['no path', { a: 'text' }, /must name a target/],
    ['no node id', { a: '.inputs.text' }, /must name a target/],
    ['no input', { a: '6.inputs.' }, /must name a target/],
    ['a number for a target', { a: 6 }, /must name a target/],
    ['an empty list', { a: [] }, /has no target/],
    ['a list in a list', { a: [['6.inputs.text']] }, /must name a target/],
    ['too many targets', { a: Array.from({ length: 101 }, () => '6.inputs.text') }, /more than 100 targets/],
    ['an empty name', { '': '6.inputs.text' }, /1 to 128 characters/],
    ['an endless name', { ['x'.repeat(129)]: '6.inputs.text' }, /1 to 128 characters/],
    ['a name that reads as a target', { '3.inputs.seed': '6.inputs.text' }, /is named like a target/],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`p${at}`, '6.inputs.text'])),
      /more than 200/,
    ],
  ])('%s is refused', (_name, value, message) => {
    const reading = read(value);
    expect(reading).toEqual({ kind: 'invalid', message: expect.stringMatching(message) as unknown });
  });
});

describe('inputs', () => {
  test('set what their parameter names, and nothing else', () => {
    const { workflowText, files } = applied(
      { seed: number('18446744073709551614'), prompt: 'a "fox"\n— ünï' },
      { seed: '3.inputs.seed', prompt: ['6.inputs.text', '7.inputs.text'] },
    );
    expect(files).toEqual([]);
    expect(parse(workflowText)).toEqual(
      parse(
        text
          .replace('18446744073709551615', '18446744073709551614')
          .replace('"a glass — größer"', '"a \\"fox\\"\\n— ünï"')
          .replace('"text":""', '"text":"a \\"fox\\"\\n— ünï"'),
      ),
    );
    expect(workflowText).toContain('"cfg":8.0');
    expect(workflowText).toContain('"x":1e0');
  });

  test('may be a path themselves', () => {
    const { workflowText } = applied({ '2.0.1.inputs.x': number('2.50'), '3.inputs.on': false });
    expect(workflowText).toContain('"x":2.50');
    expect(workflowText).toContain('"on":false');
  });

  test('a text takes a number, for ComfyUI turns it into text', () => {
    expect(applied({ '6.inputs.text': number('42') }).workflowText).toContain('"text":42');
  });

  test('none leave the text as it is', () => {
    expect(applied({})).toEqual({ kind: 'ok', workflowText: text, files: [] });
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown name', { promt: 'x' }, /no parameter "promt"; parameters are "seed", "prompt"/],
    ['null', { prompt: null }, /"prompt" is null/],
    ['a list', { prompt: ['4', number('0')] }, /is a list; links and lists cannot be set/],
    ['an object', { prompt: { a: 1 } }, /must be a text, a number, true or false, or a file/],
    ['an empty object', { prompt: {} }, /must be a text, a number/],
    ['numeric text for a number', { seed: '7' }, /"seed" must be a number/],
    ['a switch for a number', { seed: true }, /"seed" must be a number/],
    ['a number for a switch', { '3.inputs.on': number('1') }, /"3.inputs.on" must be true or false/],
    ['a file for a number', { seed: { url: 'https://example.com/a.png' } }, /must be a number, not a file/],
    ['a path to no node', { '99.inputs.text': 'x' }, /has no input "99.inputs.text"/],
    ['a path to a link', { '3.inputs.model': 'x' }, /is a link/],
    ['a path into the prototype', { '__proto__.inputs.text': 'x' }, /has no input/],
    ['the same target twice', { prompt: 'a', '6.inputs.text': 'b' }, /another input sets as well/],
    ['NaN', { seed: NaN }, /is no JSON value/],
  ])('%s is refused', (_name, inputs, message) => {
    expect(refusal(inputs, { seed: '3.inputs.seed', prompt: '6.inputs.text' })).toMatch(message);
  });

  test('an unknown name of a workflow without parameters says so', () => {
    expect(refusal({ x: 'y' })).toMatch(/the workflow has no parameters/);
  });

  test.each(['', 'null', '[]', '{', '{"1":', 'NaN'])('the workflow text %p is refused', (workflowText) => {
    expect(applyInputs(workflowText, new Map([['1.inputs.x', 'y']]), new Map())).toEqual({
      kind: 'invalid',
      message: 'the workflow is no JSON object',
    });
  });

  test('nodes and inputs named like members of the prototype are set, and nothing is polluted', () => {
    const own = '{"__proto__":{"class_type":"A","inputs":{"__proto__":"a","x":1}}}';
    const result = applyInputs(own, new Map([['__proto__.inputs.__proto__', 'b']]), new Map());
    expect(result).toMatchObject({ workflowText: own.replace('"a"', '"b"') });
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});

describe('files', () => {
  const fileId = '0B9B7C1E-3c1d-4e2f-8a9b-0c1d2e3f4a5b';

  test('leave an empty text, and are listed with where they go', () => {
    const { workflowText, files } = applied(
      { photo: { file_id: fileId }, '6.inputs.text': { url: 'https://example.com/a.txt?x=1' } },
      { photo: '8.inputs.image' },
    );
    expect(files).toEqual([
      { nodeId: '8', input: 'image', source: { kind: 'file', fileId: fileId.toLowerCase() } },
      { nodeId: '6', input: 'text', source: { kind: 'url', url: 'https://example.com/a.txt?x=1' } },
    ]);
    expect(workflowText).toContain('"image":""');
  });

  test('one file may go to several inputs', () => {
    const { files } = applied({ photo: { file_id: fileId } }, { photo: ['8.inputs.image', '7.inputs.text'] });
    expect(files.map(({ nodeId }) => nodeId)).toEqual(['8', '7']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['no UUID', { file_id: 'x' }],
    ['a number', { file_id: number('7') }],
    ['a path', { file_id: '../x' }],
    ['no address', { url: 'x' }],
    ['plain http', { url: 'http://example.com/a.png' }],
    ['a local file', { url: 'file:///etc/passwd' }],
    ['a password', { url: 'https://user:secret@example.com/' }],
    ['an endless address', { url: `https://example.com/${'x'.repeat(2048)}` }],
    ['two sources', { url: 'https://example.com/a.png', file_id: fileId }],
    ['an unknown key', { path: 'a.png' }],
    ['a key of the prototype', parse('{"__proto__":"x"}') as Record<string, unknown>],
  ])('%s is refused', (_name, value) => {
    expect(refusal({ '8.inputs.image': value })).toMatch(/"8.inputs.image"/);
  });

  test('get the names that the pod gave them', () => {
    const { workflowText } = applied({ '8.inputs.image': { file_id: fileId } });
    const filled = fillFiles(workflowText, [{ nodeId: '8', input: 'image', name: 'sub/u (1).png' }]);
    expect(filled).toBe(workflowText.replace('"image":""', '"image":"sub/u (1).png"'));
    expect(fillFiles(workflowText, [])).toBe(workflowText);
  });

  test('cannot be filled into another workflow', () => {
    const names = [{ nodeId: '99', input: 'image', name: 'a.png' }];
    expect(() => fillFiles(text, names)).toThrow(expect.objectContaining({ code: 'workflow.no-such-input' }));
    expect(() => fillFiles('{', names)).toThrow(expect.objectContaining({ code: 'workflow.unreadable' }));
  });
});

describe('whatever the workflow', () => {
  const digits = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.constantFrom('8.0', '1e0', '-0', '1E+400', '0.10000000000000000000001'),
  );
  const value = fc.oneof(
    digits,
    fc.json({ maxDepth: 3 }).filter((json) => !json.includes('"\\u0000"')),
  );
  const inputs = fc.dictionary(fc.string(), value, { minKeys: 1, maxKeys: 5 });
  const toText = (nodes: Record<string, Record<string, string>>): string =>
    `{${Object.entries(nodes)
      .map(([id, members]) => {
        const list = Object.entries(members).map(([name, json]) => `${JSON.stringify(name)}:${json}`);
        return `${JSON.stringify(id)}:{"class_type":"A","inputs":{${list.join(',')}}}`;
      })
      .join(',')}}`;

  test('setting one input changes that one value and no other', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), inputs, { minKeys: 1 }),
        fc.string(),
        (nodes, fresh) => {
          const [nodeId] = Object.keys(nodes);
          const target = { nodeId: nodeId!, input: 'the input' };
          const withTarget = (json: string): string =>
            toText({ ...nodes, [target.nodeId]: { ...nodes[target.nodeId], [target.input]: json } });
          const result = applyInputs(
            withTarget('"old"'),
            new Map([['p', fresh]]),
            new Map([['p', [target]]]),
          );
          expect(result).toEqual({
            kind: 'ok',
            workflowText: stringify(parse(withTarget(JSON.stringify(fresh)))),
            files: [],
          });
        },
      ),
    );
  });

  test('no input makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.anything(), (name, fresh) => {
        applyInputs(text, new Map([[name, fresh]]), new Map([['p', [{ nodeId: '6', input: 'text' }]]]));
        applyInputs(text, new Map([['p', fresh]]), new Map([['p', [{ nodeId: '6', input: 'text' }]]]));
        parseParameters(fresh, workflowOfText(text));
        parseParameters({ [name]: fresh }, workflowOfText(text));
      }),
    );
  });
});
