/**
 * How much a node weighs in the percentage of which nothing was ever measured: what its class usually takes on an
 * ordinary card. Nobody is told a time by it; it only keeps a sampler from weighing as much as an empty latent.
 */
import type { ShapeNode } from './workflow-shape.ts';

/** Milliseconds for one unit of work (a megapixel) of classes of such names. */
const BY_CLASS: readonly (readonly [name: RegExp, ms: number])[] = [
  [/sigma|schedul|guider|noise|primitive|conditioning|^empty|samplerselect|switch|reroute/i, 10],
  [/^clip.*encode|textencode/i, 400],
  [/vae.*(?:de|en)code/i, 500],
  [/upscale.*model|ultimate.*upscale|detailer|interpolat/i, 8000],
  [/^(?:save|preview)|combine/i, 300],
  [/^loadimage|^image|^mask|^latent/i, 150],
];
const OTHER_MS = 1000;
/** For a megapixel in one step. */
const STEP_MS = 300;
/** Names steps, and hands them to the sampler. */
const SCHEDULER = /schedul|sigma/i;
/** What goes to the card as a whole; any other model file is added to it. */
const MAIN_MODEL = /checkpoint|unet|diffusion|clip/i;
const [MAIN_MODEL_MS, OTHER_MODEL_MS] = [6000, 1000];

/** Milliseconds, above 0. */
export const guessedMs = ({ classType, work, steps, loadsModel }: ShapeNode): number => {
  if (loadsModel) return MAIN_MODEL.test(classType) ? MAIN_MODEL_MS : OTHER_MODEL_MS;
  if (steps > 1) return SCHEDULER.test(classType) ? 1 : STEP_MS * work;
  const [, ms = OTHER_MS] = BY_CLASS.find(([name]) => name.test(classType)) ?? [];
  return ms * work;
};
