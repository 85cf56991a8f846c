import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutTo, displayWidth, padTo, printable, printableJson } from './printable.ts';
import { table } from './table.ts';

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('hostile text', () => {
  test.each([
    ['\u001b[2J\u001b[31mred', '[2J [31mred'],
    ['a\r\nSet-Cookie: b', 'a Set-Cookie: b'],
    ['\u009b31mred', '31mred'],
    ['invoice\u202egnp.exe', 'invoice gnp.exe'],
    ['a\u2028b\u2029c\u200bd\u0000e', 'a b c d e'],
    ['bell\u0007\b\b\bx', 'bell x'],
    ['\ud800x', '\ufffdx'],
    ['ünï 世界', 'ünï 世界'],
    ['', ''],
  ])('%j is shown as %j', (text, shown) => expect(printable(text)).toBe(shown));

  test('marks do not pile up over the lines above', () => {
    expect(printable(`a${'\u0301'.repeat(500)}`)).toBe(`a${'\u0301'.repeat(3)}`);
  });

  test('no text at all brings a control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(UNSAFE);
      }),
    );
  });

  test('JSON keeps its meaning, and shows nothing that steers a terminal', () => {
    const value = { 'k\u202e': 'a\u009b\u007f\u{e0001}\u2028\u001b"\\' };
    const text = printableJson(JSON.stringify(value, null, 2));
    expect(JSON.parse(text)).toEqual(value);
    expect(text.replaceAll('\n', '')).not.toMatch(UNSAFE);
  });
});

describe('columns', () => {
  test.each([
    ['abc', 3],
    ['世界', 4],
    ['e\u0301', 1],
    ['🎨', 2],
    ['', 0],
  ])('%s takes %d', (text, width) => expect(displayWidth(text)).toBe(width));

  test('a text is cut to its columns, wide characters whole', () => {
    expect(cutTo('abcdef', 6)).toBe('abcdef');
    expect(cutTo('abcdef', 5)).toBe('abcd…');
    expect(cutTo('世界世界', 6)).toBe('世界…');
    expect(cutTo('abc', 0)).toBe('');
    expect(padTo('世', 4)).toBe('世  ');
    expect(padTo('long', 2)).toBe('long');
  });

  test('a table stands straight under wide and hostile cells', () => {
    const text = table(
      ['ID', 'NAME'],
      [
        ['世', 'x\u001b[2J\ny'],
        ['abcd', 'z'],
      ],
    );
    expect(text).toBe('ID    NAME\n世    x [2J y\nabcd  z\n');
  });
});
