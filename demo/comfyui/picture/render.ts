/** Paints a planned scene. Resolution-free: the same scene looks the same at 64 and at 1024 pixels. */
import type { Pixels, PictureRequest } from '../values.ts';
import { paintBottle } from './bottle.ts';
import { clamp01, fractalNoise, lattice, mix, smoothstep, valueNoise } from './noise.ts';
import type { Rgb, Ridge, Scene } from './scene.ts';
import { planScene } from './scene.ts';

/** A colour being worked on; reused for every pixel, so nothing is allocated in the loop. */
export type Ink = [number, number, number];

const ROWS_PER_TURN = 64;

/** Paints the picture; about 100 ms for 512x512, in turns of a few rows so that the loop stays free. */
export async function renderPicture(request: PictureRequest, width: number, height: number): Promise<Pixels> {
  const painter = createPainter(planScene(request), width, height);
  for (let row = 0; row < height; row += ROWS_PER_TURN) {
    painter.paintRows(row, Math.min(height, row + ROWS_PER_TURN));
    if (row + ROWS_PER_TURN < height) await new Promise((resolve) => setImmediate(resolve));
  }
  return painter.finish();
}

/** The same picture at once; meant for small sizes. */
export function renderPictureSync(request: PictureRequest, width: number, height: number): Pixels {
  const painter = createPainter(planScene(request), width, height);
  painter.paintRows(0, height);
  return painter.finish();
}

interface Painter {
  paintRows(from: number, to: number): void;
  finish(): Pixels;
}

function createPainter(scene: Scene, width: number, height: number): Painter {
  const data = new Uint8Array(width * height * 3);
  const aspect = width / height;
  const crests = scene.ridges.map((ridge) => crestLine(ridge, width, aspect));
  const ink: Ink = [0, 0, 0];
  const paintRows = (from: number, to: number): void => {
    for (let y = from; y < to; y++) {
      const v = (y + 0.5) / height;
      for (let x = 0; x < width; x++) {
        const u = ((x + 0.5) / width) * aspect;
        paintPoint(scene, crests, x, u, v, aspect, ink);
        finishPoint(ink, u / aspect, v, lattice(x, y, scene.seed));
        const at = (y * width + x) * 3;
        data[at] = ink[0];
        data[at + 1] = ink[1];
        data[at + 2] = ink[2];
      }
    }
  };
  const finish = (): Pixels => {
    const pixels = { width, height, data };
    if (scene.bottle) paintBottle(scene, pixels);
    return pixels;
  };
  return { paintRows, finish };
}

function crestLine(ridge: Ridge, width: number, aspect: number): Float32Array {
  const line = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    const u = ((x + 0.5) / width) * aspect;
    const hills = fractalNoise(u * ridge.roughness * 0.6, 7.5, ridge.seed, 6) - 0.5;
    const ridged = 1 - Math.abs(fractalNoise(u * ridge.roughness * 0.45, 3.1, ridge.seed + 9, 5) * 2 - 1);
    const trees = ridge.trees > 0 ? treeTops(u, ridge) : 0;
    line[x] = ridge.base - ridge.height * (0.45 * ridged + 0.85 * hills) - trees;
  }
  return line;
}

function treeTops(u: number, ridge: Ridge): number {
  const spacing = ridge.trees * 0.55;
  const cell = Math.floor(u / spacing);
  const inside = Math.abs(u / spacing - cell - 0.5) * 2;
  const size = 0.45 + 0.75 * lattice(cell, 1, ridge.seed);
  return ridge.trees * size * Math.max(0, 1 - inside ** 0.8);
}

function paintPoint(
  scene: Scene,
  crests: readonly Float32Array[],
  x: number,
  u: number,
  v: number,
  aspect: number,
  ink: Ink,
): void {
  const under = v > scene.waterLine;
  if (!under) {
    paintAbove(scene, crests, x, u, v, aspect, ink);
    return;
  }
  const depth = (v - scene.waterLine) / (1 - scene.waterLine);
  const wave = valueNoise(u * 9, v * 120, scene.seed + 77) - 0.5;
  const mirrored = scene.waterLine - (v - scene.waterLine) * 1.35 + wave * 0.05 * (0.3 + depth);
  paintAbove(scene, crests, x, u + wave * 0.03, Math.max(0, mirrored), aspect, ink);
  const shade = 0.82 - 0.34 * depth;
  const glint = smoothstep(0.76, 0.92, valueNoise(u * 26, v * 240, scene.seed + 5));
  const path = Math.exp(-(((u - scene.light.x * aspect) / (0.06 + depth * 0.16)) ** 2));
  tone(ink, shade, scene.sky[0], 0.16 + 0.12 * depth);
  add(ink, scene.light.colour, glint * (0.07 + 0.75 * path));
}

function paintAbove(
  scene: Scene,
  crests: readonly Float32Array[],
  x: number,
  u: number,
  v: number,
  aspect: number,
  ink: Ink,
): void {
  for (let i = crests.length - 1; i >= 0; i--) {
    const crest = crests[i]?.[x] ?? 1;
    const ridge = scene.ridges[i];
    if (ridge && v >= crest) {
      paintLand(scene, ridge, u, v, v - crest, i / crests.length, aspect, ink);
      return;
    }
  }
  paintSky(scene, u, v, aspect, ink);
}

function paintLand(
  scene: Scene,
  ridge: Ridge,
  u: number,
  v: number,
  below: number,
  near: number,
  aspect: number,
  ink: Ink,
): void {
  const grain = fractalNoise(u * 16 + below * 22, v * 34, ridge.seed + 3, 3);
  const slope = valueNoise(u * 22, v * 9 + below * 30, ridge.seed + 17);
  const facing = clamp01(0.5 + (scene.light.x * aspect - u) * 0.35 * (slope - 0.3));
  set(ink, ridge.colour, 0.68 + 0.38 * grain + 0.18 * facing);
  const mist = Math.max(0, 1 - near * 1.25) * smoothstep(0.02, 0.3, below) * 0.75;
  blend(ink, scene.sky[2], mist);
  const rim = Math.exp(-below * 190) * Math.exp(-(((u - scene.light.x * aspect) / 0.42) ** 2));
  add(ink, scene.light.colour, rim * 0.3);
  if (scene.snow > 0 && ridge.trees === 0) {
    const cap = smoothstep(0.1, 0.0, below + (grain - 0.5) * 0.11) * (1 - near * 0.9);
    blend(ink, [236, 240, 250], cap * scene.snow * (0.4 + 0.6 * facing));
  }
}

function paintSky(scene: Scene, u: number, v: number, aspect: number, ink: Ink): void {
  const t = clamp01(v / 0.72);
  if (t < 0.55) setMix(ink, scene.sky[0], scene.sky[1], smoothstep(0, 0.55, t));
  else setMix(ink, scene.sky[1], scene.sky[2], smoothstep(0.55, 1, t));
  if (scene.nebula > 0) paintNebula(scene, u, v, ink);
  if (scene.stars > 0) paintStars(scene, u, v, ink);
  paintLight(scene, u, v, aspect, ink);
  if (scene.clouds > 0) paintClouds(scene, u, v, ink);
}

function paintNebula(scene: Scene, u: number, v: number, ink: Ink): void {
  const warp = fractalNoise(u * 2.2, v * 2.2, scene.seed + 31, 4);
  const angle = ((scene.seed % 100) / 100 - 0.5) * 1.4;
  const band = v - 0.26 - (u - 0.5) * angle + (warp - 0.5) * 0.55;
  const strength = Math.exp(-((band / 0.2) ** 2)) * scene.nebula;
  const cloud = fractalNoise(u * 4.4 + warp * 2.6, v * 4.4, scene.seed + 53, 5);
  add(ink, scene.nebulaColours[0], strength * smoothstep(0.34, 0.78, cloud) * 0.95);
  add(ink, scene.nebulaColours[1], strength * smoothstep(0.46, 0.2, cloud) * 0.6);
  add(ink, [255, 236, 246], strength * smoothstep(0.62, 0.86, cloud) * 0.45);
}

function paintStars(scene: Scene, u: number, v: number, ink: Ink): void {
  const scale = 84;
  const cx = Math.floor(u * scale);
  const cy = Math.floor(v * scale);
  const chance = lattice(cx, cy, scene.seed + 211);
  if (chance < 0.93) return;
  const dx = u * scale - cx - 0.25 - 0.5 * lattice(cx, cy, scene.seed + 1);
  const dy = v * scale - cy - 0.25 - 0.5 * lattice(cx, cy, scene.seed + 2);
  const size = 0.1 + 0.2 * ((chance - 0.93) / 0.07) ** 3;
  const glow = Math.exp(-(dx * dx + dy * dy) / (size * size));
  add(ink, [255, 250, 240], glow * scene.stars * smoothstep(0.75, 0.35, v));
}

function paintLight(scene: Scene, u: number, v: number, aspect: number, ink: Ink): void {
  const { x, y, radius, colour } = scene.light;
  const dx = u - x * aspect;
  const dy = v - y;
  const distance = Math.sqrt(dx * dx + dy * dy);
  add(ink, colour, 0.42 * Math.exp(-distance / (radius * (scene.moon ? 2.2 : 3.6))));
  const disc = smoothstep(radius * 1.03, radius * 0.96, distance);
  if (disc <= 0) return;
  const face = scene.moon ? 0.8 + 0.28 * fractalNoise(dx * 34, dy * 34, scene.seed + 8, 3) : 1;
  const shadow = scene.moon ? smoothstep(radius * 0.55, radius * 1.15, Math.hypot(dx + radius * 0.5, dy)) : 1;
  blendScaled(ink, colour, face, disc * mix(0.25, 1, shadow));
}

function paintClouds(scene: Scene, u: number, v: number, ink: Ink): void {
  const density = fractalNoise(u * 2.1 + 5, v * 6.4, scene.seed + 400, 5);
  const cover = smoothstep(0.5, 0.78, density) * scene.clouds * smoothstep(0.72, 0.3, v);
  if (cover <= 0) return;
  const lit = scene.moon ? 0.55 : 1;
  blendScaled(ink, mixLight(scene.light.colour, scene.sky[2]), lit, cover * 0.8);
}

function mixLight(light: Rgb, sky: Rgb): Rgb {
  return [(light[0] + sky[0]) / 2, (light[1] + sky[1]) / 2, (light[2] + sky[2]) / 2];
}

/** Darker corners, a little grain against banding, and back into a byte. */
function finishPoint(ink: Ink, u: number, v: number, grain: number): void {
  const dx = u - 0.5;
  const dy = v - 0.5;
  const vignette = 1 - 0.5 * (dx * dx + dy * dy);
  for (let c = 0; c < 3; c++) {
    const value = (ink[c as 0 | 1 | 2] ?? 0) * vignette + (grain - 0.5) * 5;
    ink[c as 0 | 1 | 2] = value < 0 ? 0 : value > 255 ? 255 : value;
  }
}

function set(ink: Ink, colour: Rgb, scale: number): void {
  ink[0] = colour[0] * scale;
  ink[1] = colour[1] * scale;
  ink[2] = colour[2] * scale;
}

function setMix(ink: Ink, a: Rgb, b: Rgb, t: number): void {
  ink[0] = mix(a[0], b[0], t);
  ink[1] = mix(a[1], b[1], t);
  ink[2] = mix(a[2], b[2], t);
}

function tone(ink: Ink, shade: number, colour: Rgb, amount: number): void {
  ink[0] = mix(ink[0] * shade, colour[0], amount);
  ink[1] = mix(ink[1] * shade, colour[1], amount);
  ink[2] = mix(ink[2] * shade, colour[2], amount);
}

function blend(ink: Ink, colour: Rgb, amount: number): void {
  blendScaled(ink, colour, 1, amount);
}

function blendScaled(ink: Ink, colour: Rgb, scale: number, amount: number): void {
  ink[0] = mix(ink[0], colour[0] * scale, amount);
  ink[1] = mix(ink[1], colour[1] * scale, amount);
  ink[2] = mix(ink[2], colour[2] * scale, amount);
}

function add(ink: Ink, colour: Rgb, amount: number): void {
  ink[0] += (255 - ink[0]) * (colour[0] / 255) * amount;
  ink[1] += (255 - ink[1]) * (colour[1] / 255) * amount;
  ink[2] += (255 - ink[2]) * (colour[2] / 255) * amount;
}
