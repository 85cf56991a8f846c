import { describe, expect, test } from '@jest/globals';
import { deflateSync, gzipSync } from 'node:zlib';
import { decodeBody } from './decode-body.ts';

const MB = 1024 * 1024;

describe('a body', () => {
  test.each([
    ['plain', Buffer.from('{"ü":"世界"}'), undefined],
    ['plain, and says so', Buffer.from('{"ü":"世界"}'), 'identity'],
    ['with a byte order mark', Buffer.from('\ufeff{"ü":"世界"}'), undefined],
    ['compressed', gzipSync('{"ü":"世界"}'), 'gzip'],
    ['compressed, in other letters', gzipSync('{"ü":"世界"}'), ' GZIP '],
  ])('%s is its text', async (_what, bytes, encoding) => {
    expect(await decodeBody(bytes, encoding)).toEqual({ kind: 'ok', text: '{"ü":"世界"}' });
  });

  test.each([[undefined], [Buffer.alloc(0)]])('that is not there is no text', async (bytes) => {
    expect(await decodeBody(bytes, 'gzip')).toEqual({ kind: 'ok', text: '' });
  });

  test.each([
    ['an unknown encoding', Buffer.from('{}'), 'br', 400, /Content-Encoding/],
    ['two encodings', gzipSync(gzipSync('{}')), 'gzip, gzip', 400, /Content-Encoding/],
    ['no gzip', Buffer.from('{}'), 'gzip', 400, /not valid gzip/],
    ['another compression', deflateSync('{}'), 'gzip', 400, /not valid gzip/],
    ['half of a gzip', gzipSync('x'.repeat(1000)).subarray(0, 20), 'gzip', 400, /not valid gzip/],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe]), undefined, 400, /UTF-8/],
    ['compressed bytes that are no text', gzipSync(Buffer.from([0xc3, 0x28])), 'gzip', 400, /UTF-8/],
    ['more than Lambda takes', Buffer.alloc(4 * MB + 1, 'x'), undefined, 413, /gzip, or .*payload_file_id/],
    ['more than Lambda takes, compressed', Buffer.alloc(4 * MB + 1), 'gzip', 413, /payload_file_id/],
    [
      'a gzip bomb',
      Buffer.concat(Array<Buffer>(24).fill(gzipSync(Buffer.alloc(MB)))),
      'gzip',
      413,
      /10 MB once inflated/,
    ],
  ])('that is %s is refused in one line', async (_what, bytes, encoding, status, message) => {
    const refused = await decodeBody(bytes, encoding);
    expect(refused).toMatchObject({ kind: 'refused', status, message: expect.stringMatching(message) });
  });

  test('of 4 MB passes, and of 10 MB and 64 KB when it is compressed', async () => {
    const plain = await decodeBody(Buffer.alloc(4 * MB, 'x'), undefined);
    expect(plain.kind).toBe('ok');
    const full = gzipSync(Buffer.alloc(10 * MB + 64 * 1024, 'x'));
    expect((await decodeBody(full, 'gzip')).kind).toBe('ok');
    const more = gzipSync(Buffer.alloc(10 * MB + 64 * 1024 + 1, 'x'));
    expect(await decodeBody(more, 'gzip')).toMatchObject({ status: 413 });
  });
});
