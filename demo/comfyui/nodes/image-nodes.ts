/** Making, reading and changing pictures. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { NodeFailure } from '../errors.ts';
import type { Inputs, NodeClass } from '../node-class.ts';
import { kindInput, numberInput, textInput } from '../node-class.ts';
import type { Folders } from '../output-files.ts';
import { isFile, isInside } from '../output-files.ts';
import type { ImageValue, Pixels } from '../values.ts';
import { assertFits, centreArea, flatPixels, invertPixels, resizePixels } from './pixel-tools.ts';

/** @throws NodeFailure when the input is no image. */
export function imageInput(inputs: Inputs, name: string): ImageValue {
  const image = kindInput<ImageValue>(inputs, name, 'image');
  if (!image) throw new NodeFailure('TypeError', `${name} is not an image`);
  return image;
}

const emptyImage: NodeClass = {
  run(inputs) {
    const width = numberInput(inputs, 'width', 512);
    const height = numberInput(inputs, 'height', 512);
    const count = numberInput(inputs, 'batch_size', 1);
    assertFits(width, height, count);
    const frame = flatPixels(width, height, numberInput(inputs, 'color', 0));
    const frames = Array.from({ length: count }, () => frame);
    return { outputs: [{ kind: 'image', frames } satisfies ImageValue] };
  },
};

const scale: NodeClass = {
  run(inputs) {
    const { frames: originals } = imageInput(inputs, 'image');
    const frames = originals.map((frame) => scaleFrame(frame, inputs, originals.length));
    return { outputs: [{ kind: 'image', frames } satisfies ImageValue] };
  },
};

/** A side of 0 follows the shape of the picture. */
function scaleFrame(frame: Pixels, inputs: Inputs, count: number): Pixels {
  const wide = numberInput(inputs, 'width', 0);
  const high = numberInput(inputs, 'height', 0);
  if (wide === 0 && high === 0) return frame;
  const width = wide || Math.max(1, Math.round((frame.width * high) / frame.height));
  const height = high || Math.max(1, Math.round((frame.height * width) / frame.width));
  assertFits(width, height, count);
  const nearest = textInput(inputs, 'upscale_method') === 'nearest-exact';
  const area = textInput(inputs, 'crop') === 'center' ? centreArea(frame, width, height) : undefined;
  return resizePixels(frame, width, height, nearest, area);
}

const invert: NodeClass = {
  run(inputs) {
    const frames = imageInput(inputs, 'image').frames.map(invertPixels);
    return { outputs: [{ kind: 'image', frames } satisfies ImageValue] };
  },
};

const loadImage: NodeClass = {
  async run(inputs, context) {
    const name = textInput(inputs, 'image');
    const frame = await readPng(inputFile(context.folders, name), name);
    return { outputs: [{ kind: 'image', frames: [frame] } satisfies ImageValue, { kind: 'mask' }] };
  },
  async fingerprint(inputs, folders) {
    const bytes = await readFile(inputFile(folders, textInput(inputs, 'image'))).catch(() => Buffer.alloc(0));
    return createHash('sha256').update(bytes).digest('hex');
  },
  async refuse(inputs, folders) {
    const name = textInput(inputs, 'image');
    const file = inputFile(folders, name);
    const known = isInside(folders.input, file) && (await isFile(file));
    return known ? null : { input: 'image', reason: `there is no picture ${name}` };
  },
};

function inputFile(folders: Folders, name: string): string {
  return path.resolve(folders.input, name.replace(/ ?\[input\]$/, '').replaceAll('\0', ''));
}

async function readPng(file: string, name: string): Promise<Pixels> {
  try {
    const bytes = await readFile(file);
    // Width and height stand at a fixed place: a few bytes must not make us reserve gigabytes.
    assertFits(bytes.readUInt32BE(16), bytes.readUInt32BE(20), 1);
    const image = PNG.sync.read(bytes);
    const data = new Uint8Array(image.width * image.height * 3);
    for (let i = 0, o = 0; i < image.data.length; i += 4, o += 3) data.set(image.data.subarray(i, i + 3), o);
    return { width: image.width, height: image.height, data };
  } catch {
    const message = `cannot identify image file '/comfyui/input/${name}'\n`;
    throw new NodeFailure('PIL.UnidentifiedImageError', message);
  }
}

export const imageNodes: ReadonlyArray<readonly [string, NodeClass]> = [
  ['EmptyImage', emptyImage],
  ['ImageScale', scale],
  ['ImageInvert', invert],
  ['LoadImage', loadImage],
];
