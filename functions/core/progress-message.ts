/** Progress in words, in the manner of seed 003: `Generating image using K-Sampler: 15/20 steps (75%)`. */

export interface NodeAtWork {
  readonly nodeName: string;
  readonly nodeType: string;
  readonly nodeProgress: number;
  readonly nodeMaxProgress: number;
  readonly nodePercentage: number;
}

interface Phrase {
  readonly matches: RegExp;
  /** `stepped`: the node reports steps of its own. */
  readonly words: (name: string, stepped: boolean) => string;
  /** `steps`: counts are said as steps; `count`: as numbers; `none`: the percentage alone. */
  readonly counts: 'steps' | 'count' | 'none';
}

/** The first that matches the class name speaks. */
const PHRASES: readonly Phrase[] = [
  { matches: /sampler|sample(?!s)/i, words: (name) => `Generating image using ${name}`, counts: 'steps' },
  {
    matches: /loader|^load|checkpoint/i,
    words: (name) => `Loading ${name.replace(/^Load /, '')}`,
    counts: 'none',
  },
  {
    matches: /^VAE/i,
    words: (name, stepped) => `${stepped ? 'Processing with' : 'Loading'} ${name}`,
    counts: 'count',
  },
  {
    matches: /clip.*encode|textencode|conditioning/i,
    words: (name) => `Encoding with ${name}`,
    counts: 'count',
  },
  { matches: /upscale|scale/i, words: (name) => `Upscaling with ${name}`, counts: 'count' },
  { matches: /controlnet|ipadapter|lora/i, words: (name) => `Applying ${name}`, counts: 'count' },
  {
    matches: /video|animate|gif|webm|webp/i,
    words: (name) => `Rendering video with ${name}`,
    counts: 'count',
  },
  { matches: /audio/i, words: (name) => `Rendering audio with ${name}`, counts: 'count' },
  { matches: /^save|^preview/i, words: (name) => `Saving with ${name}`, counts: 'count' },
];

const OTHER: Phrase = { matches: /.*/, words: (name) => `Processing with ${name}`, counts: 'count' };

/** For people: no fractions, and never `NaN`. */
const whole = (value: number): number => (Number.isFinite(value) ? Math.round(value) : 0);

/** A node of one step has no count worth saying. */
const amount = (node: NodeAtWork, counts: Phrase['counts']): string => {
  const percent = `${whole(node.nodePercentage)}%`;
  if (counts === 'none' || !(node.nodeMaxProgress > 1)) return percent;
  const unit = counts === 'steps' ? ' steps' : '';
  return `${whole(node.nodeProgress)}/${whole(node.nodeMaxProgress)}${unit} (${percent})`;
};

export const progressMessage = (node: NodeAtWork): string => {
  const phrase = PHRASES.find(({ matches }) => matches.test(node.nodeType)) ?? OTHER;
  return `${phrase.words(node.nodeName || node.nodeType || 'a node', node.nodeMaxProgress > 1)}: ${amount(node, phrase.counts)}`;
};
