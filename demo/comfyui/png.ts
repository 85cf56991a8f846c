/** Writes PNG and animated PNG. Only what this pod needs: 8-bit RGB. */
import { promisify } from 'node:util';
import { deflate, crc32 as zlibCrc32 } from 'node:zlib';
import type { Pixels } from './values.ts';

const deflateAsync = promisify(deflate);
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** @param texts tEXt chunks, Latin-1 keys and values, before the picture data. */
export async function encodePng(
  pixels: Pixels,
  texts: ReadonlyMap<string, string> = new Map(),
): Promise<Buffer> {
  const body = await deflateAsync(scanlines(pixels), { level: 4 });
  return Buffer.concat([SIGNATURE, header(pixels), ...textChunks(texts), chunk('IDAT', body), chunk('IEND')]);
}

/** @param fps frames a second. All frames must have the size of the first. */
export async function encodeAnimatedPng(
  frames: readonly Pixels[],
  fps: number,
  texts: ReadonlyMap<string, string> = new Map(),
): Promise<Buffer> {
  const [first] = frames;
  if (!first) throw new RangeError('an animation needs a frame');
  const parts = [SIGNATURE, header(first), ...textChunks(texts), chunk('acTL', words(frames.length, 0))];
  let sequence = 0;
  for (const [index, frame] of frames.entries()) {
    parts.push(chunk('fcTL', frameControl(sequence++, frame, fps)));
    const body = await deflateAsync(scanlines(frame), { level: 4 });
    parts.push(index === 0 ? chunk('IDAT', body) : chunk('fdAT', Buffer.concat([words(sequence++), body])));
  }
  return Buffer.concat([...parts, chunk('IEND')]);
}

function frameControl(sequence: number, frame: Pixels, fps: number): Buffer {
  const tail = Buffer.alloc(6);
  tail.writeUInt16BE(Math.max(1, Math.min(65535, Math.round(1000 / fps))), 0);
  tail.writeUInt16BE(1000, 2);
  return Buffer.concat([words(sequence, frame.width, frame.height, 0, 0), tail]);
}

function header(pixels: Pixels): Buffer {
  return chunk('IHDR', Buffer.concat([words(pixels.width, pixels.height), Buffer.from([8, 2, 0, 0, 0])]));
}

function textChunks(texts: ReadonlyMap<string, string>): Buffer[] {
  return [...texts].map(([key, value]) => chunk('tEXt', Buffer.from(`${key}\0${value}`, 'latin1')));
}

/** Each row with the filter "difference to the pixel on the left": quick, and good for smooth pictures. */
function scanlines(pixels: Pixels): Buffer {
  const stride = pixels.width * 3;
  const rows = Buffer.alloc((stride + 1) * pixels.height);
  const { data } = pixels;
  for (let y = 0; y < pixels.height; y++) {
    const to = y * (stride + 1);
    const from = y * stride;
    rows[to] = 1;
    for (let i = 0; i < stride; i++) {
      rows[to + 1 + i] = (data[from + i] ?? 0) - (i < 3 ? 0 : (data[from + i - 3] ?? 0));
    }
  }
  return rows;
}

function words(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, index * 4);
  return buffer;
}

function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  return Buffer.concat([words(data.length), body, words(zlibCrc32(body))]);
}
