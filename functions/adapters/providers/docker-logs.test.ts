import { expect, test } from '@jest/globals';
import { demultiplex, lastLines } from './docker-logs.ts';

const frame = (stream: number, text: Buffer | string, length = Buffer.byteLength(text)): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
};

test('stdout and stderr come out as they went in, a character across two frames included', () => {
  const world = Buffer.from('世界\n');
  const stream = [frame(1, 'one\n'), frame(2, world.subarray(0, 2)), frame(2, world.subarray(2))];
  expect(demultiplex(Buffer.concat(stream))).toBe('one\n世界\n');
  expect(demultiplex(Buffer.alloc(0))).toBe('');
});

test.each([
  ['HTML', Buffer.from('<!doctype html><title>x</title>')],
  ['a cut head', frame(1, 'x').subarray(0, 5)],
  ['a frame shorter than it says', frame(1, 'abc', 10)],
  ['a length of 4 GB', frame(1, 'abc', 0xffffffff)],
  ['a stream that does not exist', frame(7, 'abc')],
])('%s is no log', (_, bytes) => {
  expect(demultiplex(bytes)).toBeUndefined();
});

test('the last lines are kept, without their ends, and a progress bar is its last state', () => {
  expect(lastLines('a\r\nb\n10%\r50%\r100%\n', 2)).toEqual(['b', '100%']);
  expect(lastLines('a\n\nb', 5)).toEqual(['a', '', 'b']);
  expect(lastLines('', 5)).toEqual([]);
});

test('a long line is cut below 4 KB and ends with a whole character', () => {
  const [line = ''] = lastLines('界'.repeat(5000), 1);
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4096);
  expect(line.length).toBeGreaterThan(1360);
  expect(/^界+$/u.test(line)).toBe(true);
});
