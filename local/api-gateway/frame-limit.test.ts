import { expect, test } from '@jest/globals';
import { FrameLimit } from './frame-limit.ts';

/** A masked text frame with `length` bytes of payload, as a client sends it. */
function frame(length: number): Buffer {
  const head =
    length < 126
      ? Buffer.from([0x81, 0x80 | length])
      : length < 65_536
        ? Buffer.from([0x81, 0xfe, length >> 8, length & 0xff])
        : Buffer.from([
            0x81,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 0xff,
            (length >> 8) & 0xff,
            length & 0xff,
          ]);
  return Buffer.concat([head, Buffer.alloc(4, 1), Buffer.alloc(length, 0xff)]);
}

const pieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

test.each([1, 2, 3, 7, 1000, 1_000_000])(
  'frames up to the limit pass when they come in pieces of %i',
  (size) => {
    const bytes = Buffer.concat([0, 5, 125, 126, 1000, 0, 1000].map(frame));
    const limit = new FrameLimit(1000);
    expect(pieces(bytes, size).every((piece) => limit.accepts(piece))).toBe(true);
  },
);

test.each([1, 3, 1_000_000])('a frame over the limit is found behind others, in pieces of %i', (size) => {
  const bytes = Buffer.concat([frame(7), frame(1000), frame(1001)]);
  const limit = new FrameLimit(1000);
  expect(pieces(bytes, size).every((piece) => limit.accepts(piece))).toBe(false);
});

test('an announced length of 2^64-1 is refused from its header alone', () => {
  const header = Buffer.concat([Buffer.from([0x81, 0xff]), Buffer.alloc(8, 0xff), Buffer.alloc(4)]);
  expect(new FrameLimit(32_768).accepts(header)).toBe(false);
  expect(new FrameLimit(100_000).accepts(frame(70_000))).toBe(true);
});
