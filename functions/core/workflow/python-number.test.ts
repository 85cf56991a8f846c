import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LosslessNumber } from 'lossless-json';
import { compareToBound, pythonFloat, pythonInt } from './python-number.ts';

const number = (digits: string): LosslessNumber => new LosslessNumber(digits);

describe('int()', () => {
  test.each<[unknown, bigint]>([
    [number('18446744073709551615'), 18446744073709551615n],
    [number('-7'), -7n],
    [number('8.9'), 8n],
    [number('-8.9'), -8n],
    [number('1e3'), 1000n],
    [number('1e20'), 100000000000000000000n],
    [true, 1n],
    [false, 0n],
    [' 12 ', 12n],
    ['+12', 12n],
    ['-0', 0n],
    ['1_000', 1000n],
    ['18446744073709551615', 18446744073709551615n],
    [7, 7n],
    [7n, 7n],
  ])('%p is %p', (value, expected) => {
    expect(pythonInt(value)).toEqual({ kind: 'ok', value: expected });
  });

  test.each([
    ['3.7'],
    [''],
    ['x'],
    ['1__0'],
    ['0x10'],
    ['1e3'],
    ['9'.repeat(4301)],
    [null],
    [undefined],
    [{}],
    [[]],
    [number('1e999')],
  ])('%p is refused', (value) => {
    expect(pythonInt(value)).toEqual({ kind: 'invalid' });
  });

  test('digits of other scripts are for Python to judge', () => {
    expect(pythonInt('１２')).toEqual({ kind: 'unknown' });
    expect(pythonFloat('１２')).toEqual({ kind: 'unknown' });
  });
});

describe('float()', () => {
  test.each<[unknown, number]>([
    [number('8.0'), 8],
    [number('1e999'), Infinity],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['5.', 5],
    [' 1_0.2_5e1 ', 102.5],
    ['-inf', -Infinity],
    ['Infinity', Infinity],
    ['nan', NaN],
    [true, 1],
  ])('%p is %p', (value, expected) => {
    expect(pythonFloat(value)).toEqual({ kind: 'ok', value: expected });
  });

  test.each([['0x10'], [''], [' '], ['.'], ['1,5'], ['1_'], ['_1'], ['e5'], [null], [{}], [[]]])(
    '%p is refused',
    (value) => {
      expect(pythonFloat(value)).toEqual({ kind: 'invalid' });
    },
  );
});

describe('bounds', () => {
  test.each<[bigint | number, string, number]>([
    [18446744073709551615n, '18446744073709551615', 0],
    [18446744073709551616n, '18446744073709551615', 1],
    [18446744073709551614n, '18446744073709551615', -1],
    [3n, '2.5', 1],
    [2n, '2.5', -1],
    [-2n, '-2.5', 1],
    [-3n, '-2.5', -1],
    [5n, '5.0', 0],
    [5n, '1e999', -1],
    [0.1, '0.1', 0],
    [0.05, '0.1', -1],
    [Infinity, '100', 1],
    [NaN, '100', 0],
  ])('%p to %s is %p', (value, bound, expected) => {
    expect(compareToBound(value, bound)).toBe(expected);
  });

  test('whole numbers of any size compare exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), (left, right) => {
        expect(compareToBound(left, String(right))).toBe(left < right ? -1 : left > right ? 1 : 0);
      }),
    );
  });
});
