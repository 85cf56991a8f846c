/** Text to latent to picture. */
import { NodeFailure } from '../errors.ts';
import type { Inputs, NodeClass, NodeContext } from '../node-class.ts';
import { kindInput, numberInput, textInput } from '../node-class.ts';
import { previewSize, withNoise } from '../picture/preview.ts';
import { renderPicture, renderPictureSync } from '../picture/render.ts';
import { isNumeric } from '../python-json.ts';
import type { ConditioningValue, ImageValue, LatentValue, PictureRequest, Pixels } from '../values.ts';
import { assertFits, blendPixels, resizePixels } from './pixel-tools.ts';

const loadCheckpoint: NodeClass = {
  async run(inputs, context) {
    await context.sleep(context.modelLoadDelayMs);
    const name = textInput(inputs, 'ckpt_name');
    return {
      outputs: [
        { kind: 'model', name },
        { kind: 'clip', name },
        { kind: 'vae', name },
      ],
    };
  },
};

const encodeText: NodeClass = {
  run: (inputs) => ({ outputs: [{ kind: 'conditioning', text: textInput(inputs, 'text') }] }),
};

const emptyLatent: NodeClass = {
  run(inputs) {
    const latent: LatentValue = {
      kind: 'latent',
      width: Math.max(8, Math.floor(numberInput(inputs, 'width', 512) / 8) * 8),
      height: Math.max(8, Math.floor(numberInput(inputs, 'height', 512) / 8) * 8),
      batchSize: numberInput(inputs, 'batch_size', 1),
    };
    return { outputs: [latent] };
  },
};

const sample: NodeClass = {
  run: (inputs, context) => runSampler(inputs, context, 'seed', 0, numberInput(inputs, 'denoise', 1)),
};

const sampleAdvanced: NodeClass = {
  run(inputs, context) {
    const steps = numberInput(inputs, 'steps', 20);
    const start = Math.min(steps, numberInput(inputs, 'start_at_step', 0));
    return runSampler(inputs, context, 'noise_seed', start, 1 - start / Math.max(1, steps));
  },
};

async function runSampler(
  inputs: Inputs,
  context: NodeContext,
  seedName: string,
  start: number,
  denoise: number,
): Promise<{ outputs: LatentValue[] }> {
  const latent = kindInput<LatentValue>(inputs, 'latent_image', 'latent');
  if (!latent) throw new NodeFailure('TypeError', 'latent_image is not a latent');
  const request = pictureRequest(inputs, seedName);
  const end = Math.min(request.steps, numberInput(inputs, 'end_at_step', request.steps));
  const max = Math.max(1, end - start);
  const preview = previewMaker(request, latent);
  for (let value = 1; value <= max; value++) {
    await context.step(value, max, { preview: () => preview(value / max) });
  }
  return { outputs: [{ ...latent, request, denoise }] };
}

function pictureRequest(inputs: Inputs, seedName: string): PictureRequest {
  const seed = inputs.get(seedName);
  return {
    text: kindInput<ConditioningValue>(inputs, 'positive', 'conditioning')?.text ?? '',
    negativeText: kindInput<ConditioningValue>(inputs, 'negative', 'conditioning')?.text ?? '',
    seed: isNumeric(seed) ? wholeNumber(String(seed)) : 0n,
    steps: numberInput(inputs, 'steps', 20),
    cfg: numberInput(inputs, 'cfg', 8),
  };
}

function wholeNumber(text: string): bigint {
  return /^-?\d+$/.test(text) ? BigInt(text) : BigInt(Math.trunc(Number(text)));
}

function previewMaker(request: PictureRequest, latent: LatentValue): (done: number) => Pixels {
  const size = previewSize(latent.width, latent.height);
  let picture: Pixels | undefined;
  return (done) => {
    picture ??= renderPictureSync(request, size.width, size.height);
    return withNoise(picture, done, Number(request.seed & 0xffffn));
  };
}

const decode: NodeClass = {
  async run(inputs) {
    const latent = kindInput<LatentValue>(inputs, 'samples', 'latent');
    if (!latent) throw new NodeFailure('TypeError', 'samples is not a latent');
    assertFits(latent.width, latent.height, latent.batchSize);
    const frames: Pixels[] = [];
    for (let i = 0; i < latent.batchSize; i++) frames.push(await decodeOne(latent, i));
    return { outputs: [{ kind: 'image', frames } satisfies ImageValue] };
  },
};

async function decodeOne(latent: LatentValue, index: number): Promise<Pixels> {
  const base = latent.base?.[index % Math.max(1, latent.base.length)];
  if (!latent.request) return base ?? flat(latent);
  const request = { ...latent.request, seed: latent.request.seed + BigInt(index) };
  const drawn = await renderPicture(request, latent.width, latent.height);
  if (!base || latent.denoise === undefined || latent.denoise >= 1) return drawn;
  return blendPixels(resizePixels(base, latent.width, latent.height, false), drawn, latent.denoise);
}

/** An empty latent decodes to a flat grey-brown. */
function flat(latent: LatentValue): Pixels {
  const data = new Uint8Array(latent.width * latent.height * 3);
  for (let i = 0; i < data.length; i += 3) data.set([125, 111, 96], i);
  return { width: latent.width, height: latent.height, data };
}

const encode: NodeClass = {
  run(inputs) {
    const image = kindInput<ImageValue>(inputs, 'pixels', 'image');
    const first = image?.frames[0];
    if (!image || !first) throw new NodeFailure('TypeError', 'pixels is not an image');
    const width = Math.max(8, Math.floor(first.width / 8) * 8);
    const height = Math.max(8, Math.floor(first.height / 8) * 8);
    const latent: LatentValue = {
      kind: 'latent',
      width,
      height,
      batchSize: image.frames.length,
      base: image.frames.map((frame) => resizePixels(frame, width, height, false)),
    };
    return { outputs: [latent] };
  },
};

export const samplingNodes: ReadonlyArray<readonly [string, NodeClass]> = [
  ['CheckpointLoaderSimple', loadCheckpoint],
  ['CLIPTextEncode', encodeText],
  ['EmptyLatentImage', emptyLatent],
  ['KSampler', sample],
  ['KSamplerAdvanced', sampleAdvanced],
  ['VAEDecode', decode],
  ['VAEEncode', encode],
];
