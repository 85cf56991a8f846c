import { afterEach, describe, expect, test } from '@jest/globals';
import jpeg from 'jpeg-js';
import { MAX_PREVIEW_BYTES } from '../../shared-types/index.ts';
import { jpegOf, pngOf, recordedPreviews } from '../test-support/pictures.ts';
import { PictureShrinker, type PictureShrinkerOptions } from './picture-shrinker.ts';

let shrinker = new PictureShrinker();
afterEach(async () => shrinker.close());

/** 512 by 512 pixels in 38 KB, as a real ComfyUI sends them. */
const recorded = recordedPreviews('text-to-image')[0]!;

const start = (options: PictureShrinkerOptions = {}) => {
  shrinker = new PictureShrinker(options);
  const ending = new AbortController();
  return { ending, shrink: (image: Uint8Array) => shrinker.shrink(image, ending.signal) };
};

/** What runs instead of the decoder. */
const thread = (code: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${code}`)}`,
  );

/** The mean of each colour: scaling and quality change it little. */
const tintOf = (picture: Uint8Array): readonly number[] => {
  const { data } = jpeg.decode(picture, { useTArray: true });
  const sums = [0, 1, 2].map((channel) =>
    data.reduce((sum, value, at) => sum + (at % 4 === channel ? value : 0), 0),
  );
  return sums.map((sum) => (sum * 4) / data.length);
};

describe('a picture that is too large', () => {
  test.each<[string, () => Buffer, readonly [number, number]]>([
    ['a preview of a real ComfyUI', () => recorded, [512, 512]],
    ['a JPEG of 1024 by 300 pixels', () => jpegOf(1024, 300), [512, 150]],
    ['a PNG of 256 by 512 pixels', () => pngOf(256, 512), [256, 512]],
  ])('%s becomes a JPEG of at most 24 KB that looks the same', async (_name, make, [most, high]) => {
    const { shrink } = start();
    const image = make();
    expect(image.length).toBeGreaterThan(MAX_PREVIEW_BYTES);
    const shrunk = await shrink(image);
    if (shrunk.kind !== 'fits') throw new Error(shrunk.kind);
    expect(shrunk.image.length).toBeLessThanOrEqual(MAX_PREVIEW_BYTES);
    const { width, height } = jpeg.decode(shrunk.image, { useTArray: true });
    expect(width).toBeLessThanOrEqual(most);
    expect(width).toBeGreaterThanOrEqual(most / 2);
    expect(width / height).toBeCloseTo(most / high, 1);
    if (image[0] === 0xff) {
      const [before, after] = [tintOf(image), tintOf(shrunk.image)];
      for (const channel of [0, 1, 2]) expect(Math.abs(before[channel]! - after[channel]!)).toBeLessThan(3);
    }
  });

  test('keeps its own bytes', async () => {
    const { shrink } = start();
    const image = Buffer.from(recorded);
    const before = Buffer.from(image);
    await shrink(image);
    expect(image.equals(before)).toBe(true);
  });
});

/** Says 65,535 by 65,535 pixels, in the second of its two frames. */
const secondFrame = (): Buffer => {
  const picture = recorded;
  const at = picture.indexOf(Buffer.from([0xff, 0xc0]));
  const frame = Buffer.from(picture.subarray(at, at + 2 + picture.readUInt16BE(at + 2)));
  frame.writeUInt32BE(0xff_ff_ff_ff, 5);
  return Buffer.concat([picture.subarray(0, at), frame, picture.subarray(at)]);
};

const enlarged = (picture: Buffer, offset: number): Buffer => {
  const bomb = Buffer.from(picture);
  bomb.writeUInt32BE(0x7f_ff_ff_ff, offset);
  return bomb;
};

test.each<[string, () => Buffer]>([
  ['a JPEG that is cut off', () => recorded.subarray(0, 30_000)],
  ['a JPEG without its tables', () => Buffer.concat([recorded.subarray(0, 20), Buffer.alloc(30_000, 7)])],
  ['a JPEG whose second frame is of four gigapixels', secondFrame],
  ['a PNG of noise', () => Buffer.concat([pngOf(256).subarray(0, 60), Buffer.alloc(30_000, 7)])],
  ['a PNG of two gigapixels', () => enlarged(pngOf(256), 16)],
])('%s cannot be decoded, and the next picture can', async (_name, make) => {
  const { shrink } = start();
  expect(await shrink(make())).toEqual({ kind: 'undecodable' });
  expect(await shrink(recorded)).toMatchObject({ kind: 'fits' });
});

describe('a thread', () => {
  test.each<[string, string, string]>([
    ['that throws', "parentPort.on('message', () => { throw new RangeError('x'); });", 'RangeError'],
    ['that ends', "parentPort.on('message', () => process.exit(3));", 'it ended'],
    ['that cannot be loaded', 'this is no program', 'SyntaxError'],
    [
      'that answers anything',
      "parentPort.on('message', () => parentPort.postMessage('ok'));",
      'an answer that is none',
    ],
  ])('%s fails the picture, and each later one as well', async (_name, code, message) => {
    const { shrink } = start({ thread: thread(code) });
    const failed = { code: 'pictureThreadFailed', message };
    await expect(shrink(jpegOf(16))).rejects.toMatchObject(failed);
    await expect(shrink(jpegOf(16))).rejects.toMatchObject(failed);
  });

  test('that never answers is given up, and each later one as well', async () => {
    const endless = thread("parentPort.on('message', () => { for (;;); });");
    const { shrink } = start({ thread: endless, timeoutMs: 100 });
    for (let twice = 0; twice < 2; twice += 1)
      await expect(shrink(jpegOf(16))).rejects.toMatchObject({ message: 'given up' });
  });

  test('is given up with the monitor', async () => {
    const { shrink, ending } = start({ thread: thread("parentPort.on('message', () => { for (;;); });") });
    const shrinking = shrink(jpegOf(16));
    ending.abort();
    await expect(shrinking).rejects.toMatchObject({ code: 'pictureThreadFailed' });
  });

  test('has no environment', async () => {
    const { shrink } = start({
      thread: thread(
        "parentPort.on('message', () => parentPort.postMessage({ kind: 'fits', image: Buffer.from(Object.keys(process.env).join()) }));",
      ),
    });
    expect(await shrink(jpegOf(16))).toEqual({ kind: 'fits', image: new Uint8Array() });
  });
});
