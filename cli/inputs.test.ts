import { describe, expect, test } from '@jest/globals';
import { parse } from 'lossless-json';
import { readInputs, valueOf } from './inputs.ts';

const json = (text: string) => ({ kind: 'json', text });

describe('what a value is', () => {
  test.each([
    ['18446744073709551615', '18446744073709551615'],
    ['-1.50', '-1.50'],
    ['1e3', '1e3'],
    ['0', '0'],
    ['true', 'true'],
    ['false', 'false'],
    ['007', '"007"'],
    ['+5', '"+5"'],
    ['.5', '".5"'],
    ['NaN', '"NaN"'],
    ['Infinity', '"Infinity"'],
    ['True', '"True"'],
    ['null', '"null"'],
    ['[1]', '"[1]"'],
    ['', '""'],
    [' 1', '" 1"'],
    ['a red fox', '"a red fox"'],
    ['"42"', '"42"'],
    ['"true"', '"true"'],
    ['"@face.png"', '"@face.png"'],
    ['"hi" she said "there"', JSON.stringify('"hi" she said "there"')],
    ['say "x"', JSON.stringify('say "x"')],
    ['C:\\new', JSON.stringify('C:\\new')],
    ['a\nb', JSON.stringify('a\nb')],
  ])('%j is %s', (typed, text) => expect(valueOf(typed, undefined)).toEqual(json(text)));

  test('where the workflow has a text, a number is text', () => {
    expect(valueOf('2024', 'a fox')).toEqual(json('"2024"'));
    expect(valueOf('true', 'a fox')).toEqual(json('"true"'));
  });

  test('@ is a file', () => expect(valueOf('@face.png', 'x')).toEqual({ kind: 'file', path: 'face.png' }));
});

const workflow = parse(
  '{"3":{"class_type":"K","inputs":{"seed":1,"tiled":true,"image":"a.png"}},"4":{"class_type":"K","inputs":{"seed":2}}}',
);

describe('the inputs of a submission', () => {
  test('a file is looked through, a stored workflow knows its own names', () => {
    expect([...readInputs(['tiled=false', '3.seed=7'], workflow)]).toEqual([
      ['3.inputs.tiled', json('false')],
      ['3.inputs.seed', json('7')],
    ]);
    expect([...readInputs(['prompt=a=b', ' seed =7'], undefined)]).toEqual([
      ['prompt', json('"a=b"')],
      ['seed', json('7')],
    ]);
  });

  test.each(['seed', '=x', ' =x', ''])('%j is not name=value', (set) => {
    expect(() => readInputs([set], undefined)).toThrow('write name=value');
  });

  test.each([
    ['3.seed=many', 'this input takes a number'],
    ['3.seed=@face.png', 'this input takes a number'],
    ['tiled=1', 'this input takes true or false'],
  ])('%s is refused before anything is sent', (set, message) => {
    expect(() => readInputs([set], workflow)).toThrow(message);
  });

  test('one input is not set twice', () => {
    expect(() => readInputs(['tiled=true', '3.tiled=false'], workflow)).toThrow('is set twice');
    expect(() => readInputs(['a=1', 'a=2'], undefined)).toThrow('is set twice');
  });
});
