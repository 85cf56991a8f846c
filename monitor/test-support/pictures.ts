/** Pictures made for a test, and those that a real ComfyUI sent. */
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { readRecording, type RecordingName } from '../../test/fakes/recording.ts';
import { pictureOf, readBinaryFrame } from '../adapters/binary-frame.ts';

/** Soft shapes under fine noise, as a sampler shows them half way; the same for the same size. */
const pixelsOf = (width: number, height: number) => {
  const data = Buffer.alloc(width * height * 4, 255);
  let noise = 1;
  for (let at = 0; at < width * height; at += 1) {
    noise = (Math.imul(noise, 1_103_515_245) + 12_345) >>> 0;
    const [x, y, grain] = [at % width, Math.floor(at / width), (noise >>> 24) / 8];
    data[at * 4] = 110 + 80 * Math.sin(x / 37) + grain;
    data[at * 4 + 1] = 110 + 80 * Math.cos(y / 23) + grain;
    data[at * 4 + 2] = 110 + 80 * Math.sin((x + y) / 61) + grain;
  }
  return { data, width, height };
};

/** At ComfyUI's own quality of previews unless another is asked for. */
export const jpegOf = (width: number, height = width, quality = 95): Buffer =>
  jpeg.encode(pixelsOf(width, height), quality).data;

export const pngOf = (width: number, height = width): Buffer => {
  const png = new PNG({ width, height });
  pixelsOf(width, height).data.copy(png.data);
  return PNG.sync.write(png);
};

/** The JPEGs of the previews of a recording, oldest first. */
export const recordedPreviews = (name: RecordingName): readonly Buffer[] =>
  readRecording(name).socketLines.flatMap(({ binary }) => {
    if (binary === undefined) return [];
    const bytes = Buffer.from(binary, 'base64');
    return pictureOf(bytes, readBinaryFrame(bytes)) ?? [];
  });
