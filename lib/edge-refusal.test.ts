import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { MAX_TASK_BODY_BYTES, TASK_BODY_TOO_LARGE } from '../shared-types/index.ts';
import { edgeRefusalCode } from './edge-refusal.ts';

const PAGE = 'https://page.example';

interface Answer {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, { readonly value: string }>>;
  readonly body?: string;
}

const answerTo = (
  headers: Readonly<Record<string, string>>,
  corsOrigins: readonly string[] = [PAGE],
): Answer => {
  const code = edgeRefusalCode({
    maxBytes: MAX_TASK_BODY_BYTES,
    tooLarge: TASK_BODY_TOO_LARGE,
    corsOrigins,
  });
  const values = Object.entries(headers).map(([name, value]) => [name, { value }]);
  const event = { request: { method: 'POST', uri: '/', headers: Object.fromEntries(values) } };
  return JSON.parse(
    String(runInNewContext(`${code}; JSON.stringify(handler(${JSON.stringify(event)}))`)),
  ) as Answer;
};
const passes = (headers: Readonly<Record<string, string>>): void =>
  expect(answerTo(headers)).toMatchObject({ method: 'POST', uri: '/' });
const ONE_MORE = String(MAX_TASK_BODY_BYTES + 1);

describe('a request', () => {
  test.each([
    ['without a body', {}],
    ['of the largest size', { 'content-length': String(MAX_TASK_BODY_BYTES) }],
    ['whose length is none', { 'content-length': 'many' }],
    ['whose length is below nothing', { 'content-length': '-1' }],
  ])('%s goes on as it came', (_what, headers) => passes(headers));

  test('that is a byte larger reads what to do', () => {
    const answer = answerTo({ 'content-length': ONE_MORE });
    expect(answer).toMatchObject({
      statusCode: 413,
      headers: { 'content-type': { value: 'application/json' } },
    });
    expect(JSON.parse(answer.body ?? '')).toEqual({ error: TASK_BODY_TOO_LARGE.plain });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test.each(['gzip', ' GZIP ', 'x-gzip'])(
    'that is compressed (%s) is not told to compress it',
    (encoding) => {
      const answer = answerTo({ 'content-length': ONE_MORE, 'content-encoding': encoding });
      expect(JSON.parse(answer.body ?? '')).toEqual({ error: TASK_BODY_TOO_LARGE.gzip });
    },
  );
});

describe('a page', () => {
  const allowed = (origin: string, corsOrigins?: readonly string[]): string | undefined =>
    answerTo({ 'content-length': ONE_MORE, origin }, corsOrigins).headers['access-control-allow-origin']
      ?.value;

  test('of the stage may read the answer, another may not', () => {
    expect(allowed(PAGE)).toBe(PAGE);
    expect(allowed('https://other.example')).toBeUndefined();
    expect(allowed('https://other.example', ['*'])).toBe('https://other.example');
  });
});

test('is far smaller than a CloudFront function may be', () => {
  const code = edgeRefusalCode({
    maxBytes: 1,
    tooLarge: TASK_BODY_TOO_LARGE,
    corsOrigins: Array(20).fill(PAGE),
  });
  expect(code.length).toBeLessThan(5000);
});
