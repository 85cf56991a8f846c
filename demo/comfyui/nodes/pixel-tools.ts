import { NodeFailure } from '../errors.ts';
import type { Pixels } from '../values.ts';

/** All pictures of one value together; 64 megapixels are 192 MiB. */
const MAX_PIXELS = 64 * 1024 * 1024;

/** What a full graphics card looks like. */
export function outOfMemory(reason: string): NodeFailure {
  return new NodeFailure('torch.OutOfMemoryError', `CUDA out of memory. ${reason}`);
}

/** @throws NodeFailure like a full graphics card, so that no workflow can take this process down. */
export function assertFits(width: number, height: number, count: number): void {
  if (width * height * count > MAX_PIXELS)
    throw outOfMemory(`${count} pictures of ${width}x${height} do not fit.`);
}

/** A part of a picture, in its own pixels. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Scales to the new size; `nearest` keeps hard edges, otherwise neighbours are mixed. */
export function resizePixels(
  from: Pixels,
  width: number,
  height: number,
  nearest: boolean,
  area: Area = { x: 0, y: 0, width: from.width, height: from.height },
): Pixels {
  if (
    width === area.width &&
    height === area.height &&
    area.width === from.width &&
    area.height === from.height
  ) {
    return from;
  }
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const sy = area.y + ((y + 0.5) / height) * area.height - 0.5;
    for (let x = 0; x < width; x++) {
      const sx = area.x + ((x + 0.5) / width) * area.width - 0.5;
      for (let c = 0; c < 3; c++) {
        data[(y * width + x) * 3 + c] = nearest
          ? channelAt(from, Math.round(sx), Math.round(sy), c)
          : smoothAt(from, sx, sy, c);
      }
    }
  }
  return { width, height, data };
}

/** The middle part of a picture that has the wanted shape. */
export function centreArea(from: Pixels, width: number, height: number): Area {
  const wanted = width / height;
  const wide = from.width / from.height > wanted;
  const w = wide ? from.height * wanted : from.width;
  const h = wide ? from.height : from.width / wanted;
  return { x: (from.width - w) / 2, y: (from.height - h) / 2, width: w, height: h };
}

function smoothAt(from: Pixels, x: number, y: number, c: number): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const fx = x - x0;
  const fy = y - y0;
  const top = channelAt(from, x0, y0, c) * (1 - fx) + channelAt(from, x0 + 1, y0, c) * fx;
  const bottom = channelAt(from, x0, y0 + 1, c) * (1 - fx) + channelAt(from, x0 + 1, y0 + 1, c) * fx;
  return top * (1 - fy) + bottom * fy;
}

function channelAt(from: Pixels, x: number, y: number, c: number): number {
  const cx = Math.min(from.width - 1, Math.max(0, x));
  const cy = Math.min(from.height - 1, Math.max(0, y));
  return from.data[(cy * from.width + cx) * 3 + c] ?? 0;
}

/** @param amount 0 keeps `a`, 1 gives `b`. Both have the same size. */
export function blendPixels(a: Pixels, b: Pixels, amount: number): Pixels {
  const data = a.data.map((value, i) => value + ((b.data[i] ?? 0) - value) * amount);
  return { width: a.width, height: a.height, data };
}

export function invertPixels(from: Pixels): Pixels {
  return { ...from, data: from.data.map((value) => 255 - value) };
}

export function flatPixels(width: number, height: number, colour: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i += 3) {
    data[i] = (colour >> 16) & 255;
    data[i + 1] = (colour >> 8) & 255;
    data[i + 2] = colour & 255;
  }
  return { width, height, data };
}
