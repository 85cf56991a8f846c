/** From words and a seed to a plan of the picture: colours, light, ridges, and what stands in front. */
import type { PictureRequest } from '../values.ts';
import { hashSeed, mix, randomStream } from './noise.ts';

export type Rgb = readonly [number, number, number];

export interface Ridge {
  /** Height of its foot line, 0 at the top of the picture and 1 at its bottom. */
  readonly base: number;
  readonly height: number;
  readonly roughness: number;
  readonly seed: number;
  readonly colour: Rgb;
  /** Tree tops along the crest, 0 for none. */
  readonly trees: number;
}

export interface Scene {
  readonly seed: number;
  readonly sky: readonly [Rgb, Rgb, Rgb];
  readonly light: { readonly x: number; readonly y: number; readonly radius: number; readonly colour: Rgb };
  readonly moon: boolean;
  readonly stars: number;
  readonly nebula: number;
  readonly nebulaColours: readonly [Rgb, Rgb];
  readonly clouds: number;
  readonly ridges: readonly Ridge[];
  /** Where water begins (0 to 1), or 1 for none. */
  readonly waterLine: number;
  readonly snow: number;
  readonly bottle: { readonly x: number; readonly size: number } | null;
  readonly glass: Rgb;
}

interface Mood {
  readonly words: RegExp;
  readonly sky: readonly [Rgb, Rgb, Rgb];
  readonly land: Rgb;
  readonly light: Rgb;
  readonly night?: boolean;
}

const MOODS: readonly Mood[] = [
  {
    words: /galax|nebula|cosm|space|universe/,
    sky: [
      [14, 8, 38],
      [64, 28, 104],
      [206, 104, 158],
    ],
    land: [24, 14, 44],
    light: [255, 226, 246],
    night: true,
  },
  {
    words: /aurora|northern light|arctic/,
    sky: [
      [5, 14, 34],
      [12, 66, 82],
      [96, 196, 160],
    ],
    land: [10, 30, 40],
    light: [214, 255, 236],
    night: true,
  },
  {
    words: /night|moon|midnight|star/,
    sky: [
      [8, 12, 34],
      [26, 42, 86],
      [94, 118, 168],
    ],
    land: [12, 18, 36],
    light: [236, 240, 255],
    night: true,
  },
  {
    words: /sunset|dusk|evening|fire|lava|volcan/,
    sky: [
      [62, 36, 92],
      [214, 88, 86],
      [255, 190, 108],
    ],
    land: [46, 22, 46],
    light: [255, 232, 170],
  },
  {
    words: /sunrise|dawn|morning|pastel|pink/,
    sky: [
      [120, 150, 214],
      [240, 176, 190],
      [255, 226, 190],
    ],
    land: [66, 62, 98],
    light: [255, 246, 214],
  },
  {
    words: /ocean|sea|lake|beach|water|wave|island/,
    sky: [
      [46, 112, 184],
      [120, 184, 222],
      [236, 240, 226],
    ],
    land: [24, 62, 84],
    light: [255, 250, 226],
  },
  {
    words: /desert|dune|sand|canyon|mars/,
    sky: [
      [88, 140, 188],
      [226, 190, 150],
      [252, 222, 170],
    ],
    land: [150, 84, 46],
    light: [255, 240, 200],
  },
  {
    words: /snow|winter|ice|frost|glacier/,
    sky: [
      [96, 132, 180],
      [176, 202, 226],
      [240, 244, 250],
    ],
    land: [70, 92, 124],
    light: [255, 255, 250],
  },
  {
    words: /forest|jungle|tree|wood|meadow|nature|green/,
    sky: [
      [84, 148, 178],
      [170, 208, 200],
      [244, 240, 206],
    ],
    land: [22, 62, 48],
    light: [255, 250, 214],
  },
];

const COLOURS: ReadonlyArray<readonly [RegExp, Rgb]> = [
  [/purple|violet|lavender/, [140, 60, 210]],
  [/magenta|pink|rose/, [236, 92, 160]],
  [/\bred\b|crimson|scarlet/, [212, 48, 48]],
  [/orange|amber/, [242, 140, 46]],
  [/gold|yellow/, [246, 204, 72]],
  [/green|emerald|jade/, [48, 170, 96]],
  [/teal|turquoise|cyan/, [40, 180, 186]],
  [/blue|azure|sapphire/, [52, 104, 222]],
];

/** The plan for one picture; the same words and seed always give the same plan. */
export function planScene(request: PictureRequest): Scene {
  const text = request.text.toLowerCase();
  const seed = hashSeed(text, request.seed);
  const random = randomStream(seed);
  const mood = pickMood(text, random);
  const tint = COLOURS.find(([words]) => words.test(text))?.[1];
  const sky = tintSky(mood.sky, tint, random);
  const night = mood.night === true;
  const wet = /ocean|sea\b|lake|beach|water|wave|island|river|reflection/.test(text) || random() < 0.3;
  const deep = /galax|nebula|cosm|space|aurora/.test(text);
  return {
    seed,
    sky,
    light: pickLight(mood, night, random),
    moon: night,
    stars: night ? mix(0.5, 1, random()) : 0,
    nebula: deep ? mix(0.75, 1, random()) : night ? 0.2 : 0,
    nebulaColours: [tint ?? [180, 80, 200], [70, 130, 230]],
    clouds: deep ? 0.12 : mix(0.2, 0.75, random()),
    ridges: planRidges(text, sky[2], mood.land, wet, random),
    waterLine: wet ? mix(0.7, 0.78, random()) : 1,
    snow: /snow|winter|ice|alp|peak|mountain/.test(text) ? 0.9 : random() < 0.25 ? 0.5 : 0,
    bottle: /bottle|glass|vial|potion|flask/.test(text)
      ? { x: mix(0.3, 0.7, random()), size: mix(0.5, 0.62, random()) }
      : null,
    glass: tint ?? [120, 200, 190],
  };
}

function pickMood(text: string, random: () => number): Mood {
  const index = Math.floor(random() * MOODS.length);
  return MOODS.find((mood) => mood.words.test(text)) ?? MOODS[index] ?? (MOODS[0] as Mood);
}

function tintSky(sky: Mood['sky'], tint: Rgb | undefined, random: () => number): Mood['sky'] {
  const shift = (random() - 0.5) * 36;
  const warm = (colour: Rgb): Rgb => [colour[0] + shift, colour[1] + shift * 0.2, colour[2] - shift];
  const touch = (colour: Rgb, amount: number): Rgb =>
    tint ? mixRgb(warm(colour), tint, amount) : warm(colour);
  return [touch(sky[0], 0.22), touch(sky[1], 0.38), touch(sky[2], 0.16)];
}

function pickLight(mood: Mood, night: boolean, random: () => number): Scene['light'] {
  return {
    x: mix(0.16, 0.84, random()),
    y: night ? mix(0.12, 0.3, random()) : mix(0.22, 0.46, random()),
    radius: night ? mix(0.035, 0.06, random()) : mix(0.05, 0.085, random()),
    colour: mood.light,
  };
}

function planRidges(text: string, haze: Rgb, land: Rgb, wet: boolean, random: () => number): Ridge[] {
  const count = 4 + Math.floor(random() * 3);
  const smooth = /desert|dune|sand|hill|meadow/.test(text);
  const wooded = /forest|jungle|tree|wood|nature|taiga/.test(text);
  const last = wet ? 0.74 : 0.98;
  return Array.from({ length: count }, (_, i) => {
    const near = i / (count - 1);
    return {
      base: mix(0.52, last, near) + (random() - 0.5) * 0.03,
      height: mix(smooth ? 0.12 : 0.3, smooth ? 0.08 : 0.14, near) * mix(0.75, 1.25, random()),
      roughness: smooth ? 2 : mix(6, 4, near),
      seed: Math.floor(random() * 0x7fffffff),
      colour: mixRgb(haze, land, 0.22 + 0.78 * near ** 0.8),
      trees: wooded && near > 0.45 ? mix(0.012, 0.04, near) : 0,
    };
  });
}

export function mixRgb(a: Rgb, b: Rgb, t: number): Rgb {
  return [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)];
}
