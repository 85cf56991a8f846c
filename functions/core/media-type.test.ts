import { describe, expect, test } from '@jest/globals';
import { contentDisposition, mediaTypeOf } from './media-type.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const chunk = (name: string, data = ''): string => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return `${length.toString('latin1')}${name}${data}\0\0\0\0`;
};
const png = (...chunks: string[]): Buffer =>
  bytes(`\x89PNG\r\n\x1a\n${chunk('IHDR', '0123456789abc')}${chunks.join('')}`);
const riff = (form: string, rest = ''): Buffer => bytes(`RIFF\0\0\0\0${form}${rest}`);
const ftyp = (brand: string): Buffer => bytes(`\0\0\0\x20ftyp${brand}\0\0\0\0isom`);

describe('content decides', () => {
  test.each([
    ['a PNG', png(chunk('IDAT')), 'image/png', 'image'],
    [
      'an APNG behind its metadata',
      png(chunk('tEXt', 'x'.repeat(5000)), chunk('acTL'), chunk('IDAT')),
      'image/apng',
      'animated',
    ],
    ['a PNG with acTL only in its picture', png(chunk('IDAT', 'acTL'), chunk('acTL')), 'image/png', 'image'],
    ['a JPEG', bytes('\xff\xd8\xff\xe0\0\x10JFIF'), 'image/jpeg', 'image'],
    ['a GIF', bytes('GIF89a\x01\0'), 'image/gif', 'animated'],
    ['a WebP', riff('WEBP', 'VP8 '), 'image/webp', 'image'],
    ['a still extended WebP', riff('WEBP', 'VP8X\x0a\0\0\0\x10\0\0\0'), 'image/webp', 'image'],
    ['an animated WebP', riff('WEBP', 'VP8X\x0a\0\0\0\x12\0\0\0'), 'image/webp', 'animated'],
    ['an AVIF', ftyp('avif'), 'image/avif', 'image'],
    ['an MP4', ftyp('isom'), 'video/mp4', 'video'],
    ['a QuickTime film', ftyp('qt  '), 'video/quicktime', 'video'],
    ['an M4A', ftyp('M4A '), 'audio/mp4', 'audio'],
    ['a WebM', bytes('\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm'), 'video/webm', 'video'],
    ['a Matroska film', bytes('\x1a\x45\xdf\xa3\x42\x82\x88matroska'), 'video/x-matroska', 'video'],
    ['an MP3 with a tag', bytes('ID3\x04'), 'audio/mpeg', 'audio'],
    ['an MP3 without', bytes('\xff\xfb\x90\x00'), 'audio/mpeg', 'audio'],
    ['a WAV', riff('WAVEfmt '), 'audio/wav', 'audio'],
    ['a FLAC', bytes('fLaC\0'), 'audio/flac', 'audio'],
    ['an Ogg', bytes('OggS\0\x02'), 'audio/ogg', 'audio'],
    ['a GLB', bytes('glTF\x02\0\0\0'), 'model/gltf-binary', 'model'],
    ['text', bytes('plain words'), 'text/plain; charset=utf-8', 'text'],
    ['JSON', bytes(' {"a": 1}'), 'application/json', 'text'],
    [
      'UTF-8 that is cut inside a character',
      Buffer.from('世界').subarray(0, 5),
      'text/plain; charset=utf-8',
      'text',
    ],
  ] as const)('%s', (_name, head, mimeType, kind) => {
    expect(mediaTypeOf(head, 'file.bin')).toEqual({ mimeType, kind, disposition: 'inline' });
  });

  test('a name that lies does not change the type', () => {
    expect(mediaTypeOf(png(), 'a.html')).toMatchObject({ mimeType: 'image/png', disposition: 'inline' });
    expect(mediaTypeOf(ftyp('isom'), 'a.png')).toMatchObject({ kind: 'video' });
  });
});

describe('the name fills in', () => {
  test.each([
    ['model.stl', bytes('\0\0\x01'), 'model'],
    ['scene.obj', bytes('v 0 0 0'), 'model'],
    ['weights.safetensors', bytes('\x01\0\0'), 'file'],
    ['unknown', bytes('\0\x01'), 'file'],
    ['empty.png', Buffer.alloc(0), 'image'],
  ] as const)('%s', (filename, head, kind) => {
    expect(mediaTypeOf(head, filename).kind).toBe(kind);
  });
});

describe('what a browser would run is attached', () => {
  test.each([
    ['a.html', '<p>x'],
    ['a.png', '<!DOCTYPE html><script>alert(1)</script>'],
    ['a.txt', '\ufeff \n<script>alert(1)</script>'],
    ['a.svg', '<svg onload="alert(1)"/>'],
    ['a.bin', '<?xml version="1.0"?><svg xmlns="x"/>'],
    ['a.xml', '<?xml version="1.0"?><a/>'],
    ['a.js', 'alert(1)'],
    ['a.html', 'no markup at first'],
    ['a.html', '\u0000binary'],
    ['a.html', ''],
    ['a.svg', ''],
    ['a.unknown', '\u0000'],
  ])('%s: %j', (filename, text) => {
    expect(mediaTypeOf(Buffer.from(text), filename).disposition).toBe('attachment');
  });
});

test.each([
  'x\r\nSet-Cookie: a=b',
  'we"ird.png',
  'ünï 世界.png',
  '\u202egnp.exe',
  '\ud800',
  '',
  "a'b(c)*.png",
  'x'.repeat(300),
])('no name breaks out of the header: %j', (filename) => {
  const header = contentDisposition('inline', filename);
  expect(header).toMatch(/^inline; filename="[\w. -]+"; filename\*=UTF-8''[\w.~!%-]+$/);
  expect(header.length).toBeLessThan(2000);
});

test('a name keeps its characters for those who can read them', () => {
  expect(contentDisposition('attachment', 'ü b.png')).toBe(
    `attachment; filename="_ b.png"; filename*=UTF-8''%C3%BC%20b.png`,
  );
});
