/** Nodes that end a workflow: files, frames for the socket, text. */
import { encodeFlac } from '../flac.ts';
import { ANIMATED_WEBP, MP4_CLIP, WEBM_CLIP } from '../media-files.ts';
import type { Inputs, NodeClass, NodeContext } from '../node-class.ts';
import { kindInput, numberInput, textInput } from '../node-class.ts';
import type { FileSlot } from '../output-files.ts';
import { reserveName, writeSlot } from '../output-files.ts';
import { encodeAnimatedPng, encodePng } from '../png.ts';
import type { JsonObject } from '../python-json.ts';
import { dumps } from '../python-json.ts';
import type { AudioValue, Pixels, VideoValue } from '../values.ts';
import { imageInput } from './image-nodes.ts';

const saveImage: NodeClass = {
  async run(inputs, context) {
    const { frames } = imageInput(inputs, 'images');
    const slot = await outputSlot(inputs, context, frames[0]);
    return { ui: { images: await writeFrames(frames, slot, 'output', context) } };
  },
};

const previewImage: NodeClass = {
  async run(inputs, context) {
    const { frames } = imageInput(inputs, 'images');
    const slot = await reserveName(context.folders.temp, context.tempPrefix);
    return { ui: { images: await writeFrames(frames, slot, 'temp', context) } };
  },
};

function outputSlot(inputs: Inputs, context: NodeContext, size?: Pixels): Promise<FileSlot> {
  return reserveName(context.folders.output, textInput(inputs, 'filename_prefix', 'ComfyUI'), size);
}

async function writeFrames(
  frames: readonly Pixels[],
  slot: FileSlot,
  type: 'output' | 'temp',
  context: NodeContext,
): Promise<JsonObject[]> {
  const items: JsonObject[] = [];
  for (const [index, frame] of frames.entries()) {
    items.push(await writeSlot(slot, index, 'png', await encodePng(frame, context.pngTexts), type));
  }
  return items;
}

/** The pictures go over the socket only: no file, no `ui`, and one step each. */
const saveImageToSocket: NodeClass = {
  async run(inputs, context) {
    const { frames } = imageInput(inputs, 'images');
    for (const [index, frame] of frames.entries()) {
      context.sendFinalImage(await encodePng(frame));
      await context.step(index + 1, frames.length, { delayMs: 0 });
    }
    return {};
  },
};

const saveAnimatedPng: NodeClass = {
  async run(inputs, context) {
    const { frames } = imageInput(inputs, 'images');
    const bytes = await encodeAnimatedPng(frames, numberInput(inputs, 'fps', 6), context.pngTexts);
    return animated(await saveBytes(inputs, context, 'png', bytes));
  },
};

const saveAnimatedWebp: NodeClass = {
  async run(inputs, context) {
    imageInput(inputs, 'images');
    return animated(await saveBytes(inputs, context, 'webp', ANIMATED_WEBP));
  },
};

const saveWebm: NodeClass = {
  async run(inputs, context) {
    imageInput(inputs, 'images');
    return animated(await saveBytes(inputs, context, 'webm', WEBM_CLIP));
  },
};

const createVideo: NodeClass = {
  run(inputs) {
    const frames = imageInput(inputs, 'images').frames.length;
    const video: VideoValue = { kind: 'video', frames, fps: numberInput(inputs, 'fps', 30) };
    return { outputs: [video] };
  },
};

const saveVideo: NodeClass = {
  run: async (inputs, context) => animated(await saveBytes(inputs, context, 'mp4', MP4_CLIP)),
};

async function saveBytes(
  inputs: Inputs,
  context: NodeContext,
  extension: string,
  bytes: Buffer,
): Promise<JsonObject> {
  return writeSlot(await outputSlot(inputs, context), 0, extension, bytes, 'output');
}

function animated(item: JsonObject): { ui: JsonObject } {
  return { ui: { images: [item], animated: [true] } };
}

const MAX_AUDIO_SECONDS = 5;

const emptyAudio: NodeClass = {
  run(inputs) {
    const audio: AudioValue = {
      kind: 'audio',
      sampleRate: Math.min(96_000, Math.max(8_000, numberInput(inputs, 'sample_rate', 44_100))),
      channels: numberInput(inputs, 'channels', 2),
      seconds: Math.min(MAX_AUDIO_SECONDS, numberInput(inputs, 'duration', 1)),
    };
    return { outputs: [audio] };
  },
};

const saveAudio: NodeClass = {
  async run(inputs, context) {
    const audio = kindInput<AudioValue>(inputs, 'audio', 'audio');
    const bytes = encodeFlac(audio ?? { kind: 'audio', sampleRate: 44_100, channels: 1, seconds: 0.1 });
    return { ui: { audio: [await saveBytes(inputs, context, 'flac', bytes)] } };
  },
};

const previewAny: NodeClass = {
  run(inputs) {
    const source = inputs.get('source');
    return { ui: { text: [typeof source === 'string' ? source : dumps(source)] } };
  },
};

export const outputNodes: ReadonlyArray<readonly [string, NodeClass]> = [
  ['SaveImage', saveImage],
  ['PreviewImage', previewImage],
  ['SaveImageWebsocket', saveImageToSocket],
  ['SaveAnimatedPNG', saveAnimatedPng],
  ['SaveAnimatedWEBP', saveAnimatedWebp],
  ['SaveWEBM', saveWebm],
  ['CreateVideo', createVideo],
  ['SaveVideo', saveVideo],
  ['EmptyAudio', emptyAudio],
  ['SaveAudio', saveAudio],
  ['PreviewAny', previewAny],
];
