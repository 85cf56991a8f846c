import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseSubmission } from './parse-submission.ts';

const node = '{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"cfg":8.0,"denoise":1e0}}';
const body = (rest: string): string => `{"workflow_id":"text_to_image_v1",${rest}}`;
const refusal = (text: string | undefined): string => {
  const submission = parseSubmission(text);
  if (submission.kind !== 'invalid') throw new Error(`accepted: ${text?.slice(0, 80)}`);
  expect(submission.message).not.toContain('\n');
  return `${submission.status} ${submission.message}`;
};

describe('a submission', () => {
  test('keeps every digit of the workflow', () => {
    const submission = parseSubmission(body(`"priority":5,"payload":{"3":${node}}`));
    expect(submission).toMatchObject({
      kind: 'ok',
      fields: { workflow_id: 'text_to_image_v1', priority: 5 },
    });
    expect(submission.kind === 'ok' && submission.workflowText).toBe(`{"3":${node}}`);
  });

  test('any 64-bit seed and any float text survive', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 18446744073709551615n }), (seed) => {
        const payload = `{"3":{"class_type":"KSampler","inputs":{"seed":${seed}}}}`;
        const submission = parseSubmission(body(`"payload":${payload}`));
        expect(submission.kind === 'ok' && submission.workflowText).toBe(payload);
      }),
    );
  });

  test('unicode titles and class names pass', () => {
    const payload = '{"1":{"class_type":"Größe 世界","inputs":{},"_meta":{"title":"Upscale ×2 — größer"}}}';
    const submission = parseSubmission(body(`"payload":${payload}`));
    expect(submission.kind === 'ok' && submission.workflowText).toBe(payload);
  });

  test.each([
    [undefined, /^400 the body is empty/],
    ['', /^400 the body is empty/],
    ['{', /^400 the body is not valid JSON/],
    ['{"a":NaN}', /^400 the body is not valid JSON/],
    ['null', /^400 the body must be a JSON object/],
    ['[]', /^400 the body must be a JSON object/],
    ['7', /^400 the body must be a JSON object/],
    ['"x"', /^400 the body must be a JSON object/],
    ['{}', /^400 workflow_id/],
    [body('"priority":11,"payload":{}'), /^400 priority must be a whole number from 0 to 10/],
    [body('"priority":18446744073709551615,"payload":{}'), /^400 priority/],
    [body('"priority":"high","payload":{}'), /^400 priority/],
    [body('"x":1'), /^400 payload is missing/],
    [body('"payload":null'), /^400 payload must be an object/],
    [body('"payload":[]'), /^400 payload must be an object/],
    [body('"payload":7'), /^400 payload must be an object/],
    [body('"payload":{}'), /^400 payload holds no node/],
    [body('"payload":{"1":5}'), /^400 payload node "1" must be an object/],
    [body('"payload":{"1":{}}'), /^400 payload node "1" has no class_type/],
    [body('"payload":{"1":{"class_type":7,"inputs":{}}}'), /^400 payload node "1" has no class_type/],
    [body('"payload":{"1":{"class_type":"KSampler"}}'), /^400 payload node "1" \("KSampler"\) has no inputs/],
    [body('"payload":{"1":{"class_type":"KSampler","inputs":[]}}'), /no inputs object/],
    [
      body('"payload":{"1":{"class_type":"SaveImageWebsocket","inputs":{}}}'),
      /cannot be stored; use SaveImage/,
    ],
    [body('"payload":{"nodes":[],"links":[],"version":0.4}'), /UI-format export.*Export \(API\)/],
  ])('%s is refused with one line', (text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  test('a class_type of a megabyte is refused without being echoed', () => {
    const message = refusal(body(`"payload":{"1":{"class_type":"${'x'.repeat(1_000_000)}","inputs":{}}}`));
    expect(message.length).toBeLessThan(200);
  });

  test('4 MB pass, a byte more is 413', () => {
    const sized = (bytes: number): string => {
      const frame = body('"payload":{"1":{"class_type":"A","inputs":{"x":""}}}');
      return frame.replace('"x":""', `"x":"${'x'.repeat(bytes - frame.length)}"`);
    };
    expect(parseSubmission(sized(4 * 1024 * 1024)).kind).toBe('ok');
    expect(refusal(sized(4 * 1024 * 1024 + 1))).toMatch(/^413 the body is larger than 4 MB/);
  });

  test('a workflow that outgrows an answer once its quotes are escaped is 413', () => {
    const quotes = (count: number): string =>
      body(`"payload":{"1":{"class_type":"A","inputs":{"x":"${String.raw`\"`.repeat(count)}"}}}`);
    expect(refusal(quotes(1_500_000))).toMatch(/^413 payload is larger than 5\.5 MB .* escaped/);
    expect(parseSubmission(quotes(1_400_000)).kind).toBe('ok');
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
    expect(parseSubmission(nested(100)).kind).toBe('ok');
    expect(refusal(nested(101))).toBe('400 payload is nested more than 100 levels deep');
    expect(refusal(nested(1500))).toBe('400 payload is nested more than 100 levels deep');
  });

  test('ten thousand nodes pass', () => {
    const nodes = Array.from(
      { length: 10_000 },
      (_, id) => `"${id}":{"class_type":"A","inputs":{"x":["${id}",0]}}`,
    );
    expect(parseSubmission(body(`"payload":{${nodes.join(',')}}`)).kind).toBe('ok');
  });

  test('keys of the prototype chain pollute nothing', () => {
    parseSubmission(
      body('"__proto__":{"polluted":1},"payload":{"__proto__":{"polluted":1},"constructor":{}}'),
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('no text makes the parser throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseSubmission(text)));
    fc.assert(
      fc.property(fc.json(), (text) => void parseSubmission(`{"workflow_id":"a","payload":${text}}`)),
    );
  });
});
