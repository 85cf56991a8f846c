/** Workflows of the tests, in API format. */
import { readFileSync } from 'node:fs';

/** The body of seed 001's curl, to the letter. */
export const seedTaskText = readFileSync(new URL('../fixtures/seed-001-task.json', import.meta.url), 'utf8');

export type Workflow = Record<
  string,
  { class_type: string; inputs: Record<string, unknown>; _meta?: { title: string } }
>;

export const textToImage = (
  options: { seed?: number; steps?: number; text?: string; size?: number } = {},
): Workflow => {
  const { seed = 1, steps = 4, text = 'a quiet forest', size = 64 } = options;
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        cfg: 8,
        denoise: 1,
        latent_image: ['5', 0],
        model: ['4', 0],
        negative: ['7', 0],
        positive: ['6', 0],
        sampler_name: 'euler',
        scheduler: 'normal',
        seed,
        steps,
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'flux1-dev-fp8.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { batch_size: 1, height: size, width: size } },
    '6': { class_type: 'CLIPTextEncode', inputs: { clip: ['4', 1], text } },
    '7': { class_type: 'CLIPTextEncode', inputs: { clip: ['4', 1], text: 'text, watermark' } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['8', 0] } },
  };
};

/** Passes the checks of the task API; only ComfyUI itself sees that the picture is not there. */
export const missingPicture = (name = 'nowhere.png'): Workflow => ({
  '1': { class_type: 'LoadImage', inputs: { image: name } },
  '2': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['1', 0] } },
});
