/** Jobs that no recording holds, as plans: what runs when, for how long, in how many steps. Seeded, so they repeat. */

/** Uniform in [0, 1): mulberry32, so that a run is the same each time. */
export const createRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/** One node's run. `passes` of `steps` steps each; no steps: it tells nothing until it is done. */
export interface PlannedNode {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly steps: number;
  readonly passes: number;
  /** Milliseconds before its first step: a model that goes to the card. */
  readonly leadMs: number;
}

export interface Plan {
  readonly workflow: Readonly<Record<string, unknown>>;
  readonly cached: readonly string[];
  readonly nodes: readonly PlannedNode[];
}

interface NodeCost {
  readonly id: string;
  readonly ms: number;
  readonly steps?: number;
  readonly passes?: number;
  readonly leadMs?: number;
  /** Starts with the node before it instead of after it. */
  readonly beside?: true;
}

export interface Scenario {
  readonly name: string;
  /** @param run 0, 1, … */
  readonly plan: (run: number, random: () => number) => Plan;
}

/** Times are never twice the same: by a card that is warm or not, and by chance. */
const spread = (random: () => number, sigma: number): number => {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(sigma * normal);
};

const schedule = (costs: readonly NodeCost[], random: () => number): readonly PlannedNode[] => {
  const common = spread(random, 0.05);
  let [previousStart, free] = [5, 5];
  return costs.map(({ id, ms, steps = 0, passes = 1, leadMs = 0, beside }) => {
    const startMs = beside === true ? previousStart : free;
    const lead = leadMs * spread(random, 0.1);
    const endMs = startMs + Math.max(1, Math.round(lead + ms * common * spread(random, 0.08)));
    previousStart = startMs;
    free = Math.max(free, endMs + 2);
    return { id, startMs, endMs, steps, passes, leadMs: lead };
  });
};

const node = (class_type: string, inputs: Record<string, unknown>) => ({ class_type, inputs });

const textToImage = (steps: number, width: number) => ({
  '4': node('CheckpointLoaderSimple', { ckpt_name: 'sdxl.safetensors' }),
  '5': node('EmptyLatentImage', { width, height: 1024, batch_size: 1 }),
  '6': node('CLIPTextEncode', { clip: ['4', 1], text: 'a fox' }),
  '7': node('CLIPTextEncode', { clip: ['4', 1], text: 'blurry' }),
  '3': node('KSampler', {
    steps,
    model: ['4', 0],
    positive: ['6', 0],
    negative: ['7', 0],
    latent_image: ['5', 0],
  }),
  '8': node('VAEDecode', { samples: ['3', 0], vae: ['4', 2] }),
  '9': node('SaveImage', { images: ['8', 0] }),
});

const pick = (run: number, values: readonly number[]): number => values[run % values.length] ?? 1;

/** The first run loads and encodes; the others find all of that in the cache. */
const firstLoad = (run: number, loadMs: number): readonly NodeCost[] =>
  run > 0
    ? []
    : [
        { id: '4', ms: loadMs },
        { id: '5', ms: 2 },
        { id: '6', ms: 700 },
        { id: '7', ms: 60 },
      ];

/** Every second run finds the model in the cache. */
const coldLoader: Scenario = {
  name: 'cold loader, then warm',
  plan: (run, random) => {
    const [steps, width] = [pick(run, [20, 30, 25]), pick(run, [1024, 1024, 1536])];
    const cold = run % 2 === 0;
    const work = steps * (width / 1024);
    const load: NodeCost[] = [
      { id: '4', ms: 18_000 },
      { id: '5', ms: 2 },
      { id: '6', ms: 1500 },
      { id: '7', ms: 60 },
    ];
    const rest: NodeCost[] = [
      { id: '3', ms: 350 * work, steps, leadMs: cold ? 6000 : 0 },
      { id: '8', ms: 900 * (width / 1024) },
      { id: '9', ms: 350 },
    ];
    return {
      workflow: textToImage(steps, width),
      cached: cold ? [] : ['4', '5', '6', '7'],
      nodes: schedule(cold ? [...load, ...rest] : rest, random),
    };
  },
};

const twoSamplers: Scenario = {
  name: 'two samplers',
  plan: (run, random) => ({
    workflow: {
      ...textToImage(25, 1024),
      '3': node('KSamplerAdvanced', { steps: 25, end_at_step: 20, model: ['4', 0], latent_image: ['5', 0] }),
      '10': node('KSamplerAdvanced', {
        steps: 25,
        start_at_step: 20,
        model: ['4', 0],
        latent_image: ['3', 0],
      }),
      '8': node('VAEDecode', { samples: ['10', 0], vae: ['4', 2] }),
    },
    cached: run === 0 ? [] : ['4', '5', '6', '7'],
    nodes: schedule(
      [
        ...firstLoad(run, 9000),
        { id: '3', ms: 9000, steps: 20 },
        { id: '10', ms: 6500, steps: 5 },
        { id: '8', ms: 1800 },
        { id: '9', ms: 500 },
      ],
      random,
    ),
  }),
};

const upscaler: Scenario = {
  name: 'upscaler without steps',
  plan: (run, random) => {
    const steps = pick(run, [20, 15, 30]);
    return {
      workflow: {
        ...textToImage(steps, 1024),
        '11': node('UpscaleModelLoader', { model_name: 'x4.pth' }),
        '12': node('ImageUpscaleWithModel', { upscale_model: ['11', 0], image: ['8', 0] }),
        '9': node('SaveImage', { images: ['12', 0] }),
      },
      cached: run === 0 ? [] : ['4', '5', '6', '7', '11'],
      nodes: schedule(
        [
          ...firstLoad(run, 7000),
          { id: '3', ms: 300 * steps, steps },
          { id: '8', ms: 900 },
          ...(run === 0 ? [{ id: '11', ms: 400 }] : []),
          { id: '12', ms: 21_000 },
          { id: '9', ms: 4000 },
        ],
        random,
      ),
    };
  },
};

const video: Scenario = {
  name: 'video',
  plan: (run, random) => {
    const length = pick(run, [49, 81, 65]);
    return {
      workflow: {
        ...textToImage(30, 832),
        '5': node('EmptyHunyuanLatentVideo', { width: 832, height: 480, length, batch_size: 1 }),
        '9': node('VHS_VideoCombine', { images: ['8', 0], frame_rate: 16 }),
      },
      cached: run === 0 ? [] : ['4', '6', '7'],
      nodes: schedule(
        [
          ...(run === 0
            ? [
                { id: '4', ms: 30_000 },
                { id: '6', ms: 2500 },
                { id: '7', ms: 600 },
              ]
            : []),
          { id: '5', ms: 15 },
          { id: '3', ms: 2200 * length, steps: 30 },
          { id: '8', ms: 420 * length },
          { id: '9', ms: 180 * length },
        ],
        random,
      ),
    };
  },
};

const parallel: Scenario = {
  name: 'parallel branches',
  plan: (_run, random) => ({
    workflow: {
      '1': node('LoadImage', { image: 'a.png' }),
      ...Object.fromEntries(
        ['2', '3', '4', '5'].map((id) => [
          id,
          node('RemoteUpscaleNode', { image: ['1', 0], seed: Number(id) }),
        ]),
      ),
      '6': node('ImageBatch', { image1: ['2', 0], image2: ['3', 0], image3: ['4', 0], image4: ['5', 0] }),
      '7': node('SaveImage', { images: ['6', 0] }),
    },
    cached: [],
    nodes: schedule(
      [
        { id: '1', ms: 120 },
        { id: '2', ms: 12_000 },
        { id: '3', ms: 7000, beside: true },
        { id: '4', ms: 16_000, beside: true },
        { id: '5', ms: 9000, beside: true },
        { id: '6', ms: 200 },
        { id: '7', ms: 2500 },
      ],
      random,
    ),
  }),
};

/** Each of its tiles counts its steps anew. */
const tiles: Scenario = {
  name: 'tiles: one node, twelve passes',
  plan: (run, random) => ({
    workflow: {
      ...textToImage(20, 1024),
      '12': node('UltimateSDUpscale', { image: ['8', 0], model: ['4', 0], upscale_by: 2 }),
      '9': node('SaveImage', { images: ['12', 0] }),
    },
    cached: run === 0 ? [] : ['4', '5', '6', '7'],
    nodes: schedule(
      [
        ...firstLoad(run, 7000),
        { id: '3', ms: 6000, steps: 20 },
        { id: '8', ms: 900 },
        { id: '12', ms: 48_000, steps: 10, passes: 12 },
        { id: '9', ms: 1500 },
      ],
      random,
    ),
  }),
};

/** A chain of picture nodes of which the first half comes from the cache. */
const cachedHalf: Scenario = {
  name: 'cached half',
  plan: (run, random) => {
    const ids = Array.from({ length: 16 }, (_, index) => String(index + 1));
    const workflow = Object.fromEntries(
      ids.map((id, index) => {
        const above = index === 0 ? { image: 'a.png' } : { image: [String(index), 0] };
        const classes = ['LoadImage', 'ImageSharpen', 'ImageBlur', 'DepthAnything', 'ImageInvert'];
        return [id, node(index === 15 ? 'SaveImage' : (classes[index % 5] ?? 'ImageBlur'), above)];
      }),
    );
    const half = run === 0 ? 0 : 8;
    const costs = [150, 900, 400, 5200, 90];
    return {
      workflow,
      cached: ids.slice(0, half),
      nodes: schedule(
        ids.slice(half).map((id) => ({ id, ms: costs[(Number(id) - 1) % 5] ?? 100 })),
        random,
      ),
    };
  },
};

export const SCENARIOS: readonly Scenario[] = [
  coldLoader,
  twoSamplers,
  upscaler,
  video,
  parallel,
  tiles,
  cachedHalf,
];
