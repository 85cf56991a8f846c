/** A glass bottle in the foreground that bends the light of the landscape behind it. */
import type { Pixels } from '../values.ts';
import { clamp01, fractalNoise, lattice, mix, smoothstep } from './noise.ts';
import type { Rgb, Scene } from './scene.ts';

/** Paints the bottle over the finished landscape, in place. */
export function paintBottle(scene: Scene, pixels: Pixels): void {
  const bottle = scene.bottle;
  if (!bottle) return;
  const behind = pixels.data.slice();
  const { width, height } = pixels;
  const foot = 0.95;
  const top = foot - bottle.size;
  const halfMax = bottle.size * 0.21;
  const from = Math.max(0, Math.floor((top - 0.02) * height));
  const to = Math.min(height, Math.ceil((foot + 0.04) * height));
  const centre = bottle.x * (width / height);
  for (let y = from; y < to; y++) {
    const along = ((y + 0.5) / height - top) / bottle.size;
    const half = halfMax * outline(along);
    for (let x = 0; x < width; x++) {
      const off = (x + 0.5) / height - centre;
      if (along > 0.97) paintShadow(pixels, x, y, off, along, halfMax);
      if (half > 0 && Math.abs(off) <= half) paintGlass(scene, pixels, behind, x, y, off / half, along);
    }
  }
}

/** Half the width of the bottle at a height, as a share of the widest; 0 outside. */
function outline(along: number): number {
  if (along < 0 || along > 1) return 0;
  if (along < 0.085) return 0.34;
  if (along < 0.3) return 0.27;
  if (along < 0.46) return mix(0.27, 1, smoothstep(0.3, 0.46, along));
  return along > 0.95 ? mix(1, 0.86, smoothstep(0.95, 1, along)) : 1;
}

function paintShadow(
  pixels: Pixels,
  x: number,
  y: number,
  off: number,
  along: number,
  halfMax: number,
): void {
  const spread = (off / (halfMax * 1.5)) ** 2 + ((along - 1) / 0.05) ** 2;
  if (spread >= 1) return;
  const at = (y * pixels.width + x) * 3;
  for (let c = 0; c < 3; c++) pixels.data[at + c] = (pixels.data[at + c] ?? 0) * (0.55 + 0.45 * spread);
}

function paintGlass(
  scene: Scene,
  pixels: Pixels,
  behind: Uint8Array,
  x: number,
  y: number,
  across: number,
  along: number,
): void {
  const at = (y * pixels.width + x) * 3;
  const cork = along < 0.085;
  const rim = smoothstep(0.72, 1, Math.abs(across));
  const gleam = Math.exp(-(((across + 0.55) / 0.09) ** 2)) * smoothstep(0.1, 0.3, along) * 0.65;
  for (let c = 0; c < 3; c++) {
    const channel = c as 0 | 1 | 2;
    const base = cork
      ? mix(150, 92, Math.abs(across)) * ([1, 0.74, 0.5][channel] ?? 1)
      : inside(scene, pixels, behind, x, y, across, along, channel);
    const edge = mix(base, scene.glass[channel] * 0.5, cork ? 0 : rim * 0.7);
    pixels.data[at + c] = Math.min(255, edge + (cork ? 0 : gleam * 190 + (rim > 0.75 ? 26 : 0)));
  }
}

function inside(
  scene: Scene,
  pixels: Pixels,
  behind: Uint8Array,
  x: number,
  y: number,
  across: number,
  along: number,
  channel: 0 | 1 | 2,
): number {
  const bend = Math.round(across * Math.abs(across) * pixels.width * -0.09);
  const column = Math.min(pixels.width - 1, Math.max(0, x + bend));
  const through = behind[(y * pixels.width + column) * 3 + channel] ?? 0;
  const glass = mix(through, scene.glass[channel], 0.2);
  const filled = smoothstep(0.5, 0.54, along + across * across * 0.015);
  return filled <= 0 ? glass + 10 : mix(glass, liquid(scene, across, along, channel), filled * 0.88);
}

/** A small universe, swirling: the liquid glows with the colour of the glass. */
function liquid(scene: Scene, across: number, along: number, channel: 0 | 1 | 2): number {
  const swirl = fractalNoise(across * 2.2 + along * 3, along * 7, scene.seed + 900, 4);
  const cloud = smoothstep(0.3, 0.75, fractalNoise(across * 3 + swirl * 4, along * 9, scene.seed + 901, 4));
  const deep: Rgb = [22, 10, 52];
  const colour = mix(deep[channel], scene.glass[channel], cloud);
  const glow = Math.exp(-(((along - 0.76) / 0.17) ** 2) - (across / 0.7) ** 2) * 62;
  const cellX = Math.floor(across * 26);
  const cellY = Math.floor(along * 88);
  const star = lattice(cellX, cellY, scene.seed + 902) > 0.965 ? 120 * clamp01(1.2 - Math.abs(across)) : 0;
  return Math.min(255, colour + glow * (0.6 + (scene.light.colour[channel] / 255) * 0.6) + star);
}
