import { describe, expect, test } from '@jest/globals';
import { jpegOf, pngOf, recordedPreviews } from '../test-support/pictures.ts';
import { pictureHeader } from './picture-header.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('the header of a picture', () => {
  test.each<[string, Buffer, object]>([
    ['a JPEG', jpegOf(48, 96), { mimeType: 'image/jpeg', side: 96 }],
    ['a PNG', pngOf(320, 16), { mimeType: 'image/png', side: 320 }],
    ['a preview of a real ComfyUI', recordedPreviews('text-to-image')[0]!, { side: 512 }],
  ])('tells the longest side of %s', (_name, picture, expected) => {
    expect(pictureHeader(picture)).toMatchObject(expected);
  });

  const segment = 'ff d8 ff e0 00 04 00 00';
  test.each<[string, Buffer]>([
    ['a JPEG that ends after its first bytes', bytes('ff d8 ff e0')],
    ['a JPEG without a frame', jpegOf(16).subarray(0, 100)],
    ['a JPEG whose segment is longer than the file', bytes(`ff d8 ff e0 ff ff ${'00'.repeat(64)}`)],
    [
      'a JPEG of ten thousand segments',
      Buffer.concat([bytes('ff d8'), Buffer.alloc(40_000, bytes('ff e0 00 02'))]),
    ],
    [
      'a JPEG with segments of no length',
      Buffer.concat([bytes('ff d8'), Buffer.alloc(40_000, bytes('ff e0 00 00'))]),
    ],
    ['a JPEG without lines', bytes(`${segment} ff c0 00 11 08 00 00 00 10 03 01 11 00 02 11 00`)],
    ['a JPEG of four colours', bytes(`${segment} ff c0 00 14 08 00 10 00 10 04 01 11 00 02 11 00`)],
    ['a lossless JPEG', bytes(`${segment} ff c3 00 11 08 00 10 00 10 03 01 11 00 02 11 00`)],
    ['a JPEG of noise', Buffer.concat([bytes('ff d8 ff'), Buffer.alloc(1000, 0x5a)])],
    ['a PNG that ends after its signature', bytes('89 50 4e 47 0d 0a 1a 0a')],
    ['a PNG without a header', Buffer.concat([bytes('89 50 4e 47 0d 0a 1a 0a'), Buffer.alloc(100)])],
    ['an interlaced PNG', Buffer.concat([pngOf(8).subarray(0, 28), bytes('01'), pngOf(8).subarray(29)])],
  ])('leaves the size of %s open', (_name, picture) => {
    expect(pictureHeader(picture)).toMatchObject({ side: undefined });
  });

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a byte', bytes('ff')],
    ['a WebP', Buffer.from('RIFF....WEBP')],
    ['a page', Buffer.from('<html>')],
  ])('is none of %s', (_name, picture) => {
    expect(pictureHeader(picture)).toBeUndefined();
  });
});
