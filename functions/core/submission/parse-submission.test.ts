import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseSubmission } from './parse-submission.ts';
import { prepareWorkflow } from './prepare-workflow.ts';

const node = '{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":8.0,"denoise":1e0}}';
const body = (rest: string): string => `{"workflow_id":"text_to_image_v1",${rest}}`;

/** A body with its workflow inline, as far as it can be read and checked without any store. */
const prepare = (text: string) => {
  const read = parseSubmission(text);
  if (read.kind === 'refused') return read;
  if (read.source.kind !== 'inline') throw new Error('not inline');
  return prepareWorkflow({ ...read.source, kind: 'ok', parameters: undefined }, read.inputs);
};
const textOf = (text: string): string => {
  const prepared = prepare(text);
  if (prepared.kind === 'refused') throw new Error(prepared.message);
  return prepared.workflowText;
};
const refusal = (text: string): string => {
  const prepared = prepare(text);
  if (prepared.kind === 'ok') throw new Error(`accepted: ${text.slice(0, 80)}`);
  expect(prepared.message).not.toContain('\n');
  return `${prepared.status} ${prepared.message}`;
};

describe('a submission', () => {
  test('keeps every digit of the workflow', () => {
    expect(parseSubmission(body(`"priority":5,"payload":{"3":${node}}`))).toMatchObject({
      kind: 'ok',
      fields: { workflow_id: 'text_to_image_v1', priority: 5, tags: [], timeout_seconds: 1800 },
      source: { kind: 'inline', text: `{"3":${node}}` },
    });
  });

  test('any 64-bit seed survives, set as an input too', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 18446744073709551615n }), (seed) => {
        const withSeed = (digits: bigint) => `{"3":{"class_type":"KSampler","inputs":{"seed":${digits}}}}`;
        const payload = withSeed(seed);
        expect(textOf(body(`"payload":${payload}`))).toBe(payload);
        const inputs = `"inputs":{"3.inputs.seed":${seed}}`;
        expect(textOf(body(`${inputs},"payload":${withSeed(0n)}`))).toBe(payload);
      }),
    );
  });

  test('unicode titles and class names pass', () => {
    const payload = '{"1":{"class_type":"Größe 世界","inputs":{},"_meta":{"title":"Upscale ×2 — größer"}}}';
    expect(textOf(body(`"payload":${payload}`))).toBe(payload);
  });

  test.each([
    ['{"workflow_id":"w"}', { kind: 'stored', workflowId: 'w' }],
    [
      body('"payload_file_id":"5E0A4B3C-8D0F-4F5E-9A43-6C7B1E2D3F40"'),
      { kind: 'file', fileId: '5e0a4b3c-8d0f-4f5e-9a43-6c7b1e2d3f40' },
    ],
  ])('%s names its workflow', (text, source) => {
    expect(parseSubmission(text)).toMatchObject({ kind: 'ok', source });
  });

  test.each([
    ['', /^400 the body is empty/],
    ['{', /^400 the body is not valid JSON/],
    ['{"a":NaN}', /^400 the body is not valid JSON/],
    ['null', /^400 the body must be a JSON object/],
    ['[]', /^400 the body must be a JSON object/],
    ['7', /^400 the body must be a JSON object/],
    ['"x"', /^400 the body must be a JSON object/],
    ['{}', /^400 workflow_id/],
    ['{"workflow_id":7}', /^400 workflow_id must be a string/],
    ['{"__proto__":{"workflow_id":"w","payload":{}}}', /^400 workflow_id/],
    [body('"priority":11,"payload":{}'), /^400 priority must be a whole number from 0 to 10/],
    [body('"priority":18446744073709551615,"payload":{}'), /^400 priority/],
    [body('"priority":1e309,"payload":{}'), /^400 priority/],
    [body('"priority":-1,"payload":{}'), /^400 priority/],
    [body('"priority":"high","payload":{}'), /^400 priority/],
    [body('"priority":[5],"payload":{}'), /^400 priority/],
    [body('"timeout_seconds":0,"payload":{}'), /^400 timeout_seconds must be .* 1 to 86400/],
    [body('"timeout_seconds":86401,"payload":{}'), /^400 timeout_seconds/],
    [body('"max_retries":11,"payload":{}'), /^400 max_retries/],
    [body('"session_id":"..","payload":{}'), /^400 session_id/],
    [body('"session_id":"a/b","payload":{}'), /^400 session_id/],
    [body('"tags":"gpu","payload":{}'), /^400 tags must be a list/],
    [body('"tags":["a b"],"payload":{}'), /^400 tags may hold/],
    [body(`"tags":[${Array(17).fill('"a"').join()}],"payload":{}`), /^400 tags must be at most 16/],
    [body('"callback_url":"ftp://x/y","payload":{}'), /^400 callback_url must be an http or https URL/],
    [body('"callback_url":["https://x"],"payload":{}'), /^400 callback_url/],
    [body('"inputs":[],"payload":{}'), /^400 inputs must be an object/],
    [body('"inputs":7,"payload":{}'), /^400 inputs must be an object/],
    [body('"payload_file_id":"../x"'), /^400 payload_file_id must be the file_id/],
    [
      body('"payload_file_id":"5e0a4b3c-8d0f-4f5e-9a43-6c7b1e2d3f40","payload":{}'),
      /^400 send payload or payload_file_id, not both/,
    ],
    [body('"payload":null'), /^400 the workflow must be an object/],
    [body('"payload":[]'), /^400 the workflow must be an object/],
    [body('"payload":7'), /^400 the workflow must be an object/],
    [body('"payload":{}'), /^400 the workflow holds no node/],
    [body('"payload":{"1":5}'), /^400 node "1" must be an object/],
    [body('"payload":{"1":{}}'), /^400 node "1" has no class_type/],
    [body('"payload":{"1":{"class_type":7,"inputs":{}}}'), /^400 node "1" has no class_type/],
    [body('"payload":{"1":{"class_type":"KSampler"}}'), /^400 node "1" \("KSampler"\) has no inputs/],
    [body('"payload":{"1":{"class_type":"KSampler","inputs":[]}}'), /no inputs object/],
    [body('"payload":{"1":{"class_type":"A","inputs":{"x":["2",0]}}}'), /^400 node "1" .* links to node "2"/],
    [
      body('"payload":{"1":{"class_type":"SaveImageWebsocket","inputs":{}}}'),
      /cannot be stored; use SaveImage/,
    ],
    [body('"payload":{"nodes":[],"links":[],"version":0.4}'), /UI-format export.*Export \(API\)/],
    [body(`"inputs":{"seed":1},"payload":{"3":${node}}`), /^400 inputs: there is no parameter "seed"/],
    [body(`"inputs":{"3.inputs.seed":"x"},"payload":{"3":${node}}`), /^400 inputs: .* must be a number/],
    [body(`"inputs":{"__proto__.inputs.seed":1},"payload":{"3":${node}}`), /^400 inputs: /],
  ])('%s is refused with one line', (text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  test('a class_type of a megabyte is refused without being echoed', () => {
    const message = refusal(body(`"payload":{"1":{"class_type":"${'x'.repeat(1_000_000)}","inputs":{}}}`));
    expect(message.length).toBeLessThan(200);
  });

  test('10 MB pass, a byte more is 413', () => {
    const frame = '{"1":{"class_type":"A","inputs":{"x":}}}';
    // Digits, not text: lossless-json reads those in one piece, and a text letter by letter.
    const sized = (bytes: number): string =>
      body(`"payload":${frame.replace('"x":', `"x":${'1'.repeat(bytes - frame.length)}`)}`);
    expect(prepare(sized(10 * 1024 * 1024)).kind).toBe('ok');
    expect(refusal(sized(10 * 1024 * 1024 + 1))).toMatch(/^413 the workflow is larger than 10 MB/);
  });

  test('a million values pass, and more, which would fill the memory, are 413', () => {
    const listed = (count: number): string =>
      body(`"payload":{"1":{"class_type":"A","inputs":{"x":[${'null,'.repeat(count)}1]}}}`);
    expect(prepare(listed(999_000)).kind).toBe('ok');
    expect(refusal(listed(1_000_000))).toMatch(/^413 the body holds more than a million values/);
  });

  test('so many models that they do not fit into the queue are 413', () => {
    const inputs = Array.from({ length: 2000 }, (_, n) => `"m${n}":"${'x'.repeat(40)}${n}.safetensors"`);
    expect(refusal(body(`"payload":{"1":{"class_type":"A","inputs":{${inputs.join()}}}}`))).toMatch(/^413/);
  });

  test('a body nested a hundred thousand deep is refused', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(refusal(body(`"payload":${deep}`))).toMatch(/^400 the body is (nested too deeply|not valid JSON)/);
  });

  test.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('%s nested a hundred levels pass, one more is refused with one line', (_name, open, close) => {
    // The payload, the node and its inputs are the first three levels.
    const nested = (levels: number): string => {
      const value = `${open.repeat(levels - 3)}1${close.repeat(levels - 3)}`;
      return body(`"payload":{"1":{"class_type":"A","inputs":{"x":${value}}}}`);
    };
    expect(prepare(nested(100)).kind).toBe('ok');
    expect(refusal(nested(101))).toBe('400 the workflow is nested more than 100 levels deep');
    expect(refusal(nested(1500))).toMatch(/^400 the (workflow|body) is nested/);
  });

  test('keys of the prototype chain pollute nothing', () => {
    prepare(
      body(
        '"__proto__":{"polluted":1},"inputs":{"__proto__":1,"constructor":{"a":1}},"payload":{"__proto__":{"polluted":1},"constructor":{}}',
      ),
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('no text makes the parser throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseSubmission(text)));
    fc.assert(
      fc.property(fc.json(), fc.json(), (payload, inputs) => {
        void prepare(`{"workflow_id":"a","inputs":${inputs},"payload":${payload}}`);
      }),
    );
  });
});
