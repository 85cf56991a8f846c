/** Seeded noise. Everything is a pure function of its arguments. */

// Looked up once: these run millions of times for a picture, and a test runner makes global lookups slow.
const { imul, floor } = Math;

const GOLDEN = 0x9e3779b1;

/** Mixes a text and a seed of up to 64 bits into 32 bits (FNV-1a, then an avalanche). */
export function hashSeed(text: string, seed: bigint): number {
  let hash = 0x811c9dc5;
  for (const unit of `${seed}|${text}`) {
    hash = imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  }
  return avalanche(hash);
}

export function avalanche(value: number): number {
  let x = value | 0;
  x = imul(x ^ (x >>> 16), 0x85ebca6b);
  x = imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A stream of numbers in [0, 1). */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + GOLDEN) >>> 0;
    return avalanche(state) / 4294967296;
  };
}

/** A number in [0, 1) for a lattice point. */
export function lattice(x: number, y: number, seed: number): number {
  let h = imul(x | 0, 0x27d4eb2d) ^ imul(y | 0, 0x165667b1) ^ seed;
  h = imul(h ^ (h >>> 15), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** Smooth value noise in [0, 1). */
export function valueNoise(x: number, y: number, seed: number): number {
  const xi = floor(x);
  const yi = floor(y);
  const fx = fade(x - xi);
  const fy = fade(y - yi);
  const top = mix(lattice(xi, yi, seed), lattice(xi + 1, yi, seed), fx);
  const bottom = mix(lattice(xi, yi + 1, seed), lattice(xi + 1, yi + 1, seed), fx);
  return mix(top, bottom, fy);
}

/** Octaves of value noise, each half as strong and twice as fine; in [0, 1). */
export function fractalNoise(x: number, y: number, seed: number, octaves: number): number {
  let sum = 0;
  let weight = 0.5;
  let frequency = 1;
  for (let i = 0; i < octaves; i++) {
    sum += weight * valueNoise(x * frequency, y * frequency, seed + i * 101);
    weight *= 0.5;
    frequency *= 2.03;
  }
  return sum / (1 - weight * 2);
}

export function mix(a: number, b: number, t: number): number {
  return a + (b - a) * t;
}

export function clamp01(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

export function smoothstep(from: number, to: number, value: number): number {
  return fade(clamp01((value - from) / (to - from)));
}

function fade(t: number): number {
  return t * t * (3 - 2 * t);
}
