import { describe, expect, test } from '@jest/globals';
import { dumps, parseJson, pyFloat, pythonRepr, toPlain } from './python-json.ts';

test.each([
  '{"seed": 18446744073709551615, "cfg": 8.0, "tiny": 1e-07}',
  '{"text": "gr\\u00f6\\u00dfer \\ud83d\\ude00 \\ud800", "none": null, "list": [1, true, []]}',
  '{"__proto__": {"polluted": 1}, "constructor": 2}',
])('reads and writes the same text: %s', (text) => {
  expect(dumps(parseJson(text))).toBe(text);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('writes NaN and Infinity bare, floats with a fraction, and Maps in their order', () => {
  expect(dumps([Number.NaN, Number.POSITIVE_INFINITY, pyFloat(1), pyFloat(1e-7), pyFloat(1e22)])).toBe(
    '[NaN, Infinity, 1.0, 1e-07, 1e+22]',
  );
  expect(
    dumps(
      new Map([
        ['2', 1],
        ['1', 2],
      ]),
    ),
  ).toBe('{"2": 1, "1": 2}');
});

describe('bad text', () => {
  test.each(['', '{', '[1,]', '{"a":NaN}', '\ufeff{}', 'nul', '"\u0001"'])('is refused: %j', (text) => {
    expect(() => parseJson(text)).toThrow();
  });

  test('that nests too deep is refused', () => {
    expect(() => parseJson('['.repeat(100_000) + ']'.repeat(100_000))).toThrow(RangeError);
    expect(() => parseJson('['.repeat(500) + ']'.repeat(500))).toThrow('too deep');
  });
});

test('the last of two equal keys counts', () => {
  expect(toPlain(parseJson('{"a": 1, "a": 2}'))).toEqual({ a: 2 });
});

test('shows values as Python would', () => {
  expect(pythonRepr(["it's", 'a"b', true, null, parseJson('1.50')])).toBe(
    `["it's", 'a"b', True, None, 1.50]`,
  );
});
