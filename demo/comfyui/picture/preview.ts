/** What a sampler shows while it works: the picture under noise that thins out step by step. */
import type { Pixels } from '../values.ts';
import { clamp01, lattice, mix, valueNoise } from './noise.ts';

/**
 * Longest side of a preview, in pixels. Noise compresses badly: 88 by 88 pixels of three bytes stay below 24 KB as a
 * PNG whatever they show, which is what the pipeline takes of a preview.
 */
export const PREVIEW_SIDE = 88;

/** Size of the preview of a picture: same shape, longest side at most `PREVIEW_SIDE`. */
export function previewSize(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, PREVIEW_SIDE / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** @param done share of the steps taken, 0 to 1. */
export function withNoise(picture: Pixels, done: number, seed: number): Pixels {
  const data = new Uint8Array(picture.data.length);
  const left = clamp01(1 - done);
  const strength = left ** 1.4;
  const detail = left * 0.5;
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const at = (y * picture.width + x) * 3;
      for (let c = 0; c < 3; c++) {
        const coarse = valueNoise(x / 9, y / 9, seed + c * 17);
        const fine = lattice(x, y, seed + 91 + c);
        const noise = 60 + 150 * (0.55 * coarse + 0.45 * fine);
        const value = mix(picture.data[at + c] ?? 0, noise, strength);
        data[at + c] = value + (fine - 0.5) * 40 * detail;
      }
    }
  }
  return { width: picture.width, height: picture.height, data };
}
