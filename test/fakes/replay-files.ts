/** The files of recordings, as GET /view answers them. */
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { ANIMATED_WEBP, MP4_CLIP, WEBM_CLIP } from '../../demo/comfyui/media-files.ts';
import { asObject, type RecordedPrompt, type Recording } from './recording.ts';

export interface ReplayFile {
  readonly bytes: Buffer;
  readonly type: string;
}

/** What the recorder fetched, by file name. */
export const filesOf = (recording: Recording): Map<string, ReplayFile> => {
  const files = new Map<string, ReplayFile>();
  for (const line of recording.lines) {
    const { base64, contentType } = asObject(line.response);
    if (!line.http?.startsWith('GET /view?') || typeof base64 !== 'string') continue;
    const filename = new URLSearchParams(line.http.split('?')[1]).get('filename') ?? '';
    files.set(filename, { bytes: Buffer.from(base64, 'base64'), type: String(contentType) });
  }
  return files;
};

/** A picture of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==',
  'base64',
);

const BY_EXTENSION = new Map<string, ReplayFile>([
  ['.webp', { bytes: ANIMATED_WEBP, type: 'image/webp' }],
  ['.mp4', { bytes: MP4_CLIP, type: 'video/mp4' }],
  ['.webm', { bytes: WEBM_CLIP, type: 'video/webm' }],
]);

/** Signature and IHDR, the first chunk. */
const PNG_HEAD_BYTES = 33;

/** The pixel, with the chunk behind its header that makes a PNG an animation of one frame. */
const animatedPixel = (): Buffer => {
  const control = Buffer.from('acTL\0\0\0\x01\0\0\0\0', 'latin1');
  const chunk = Buffer.alloc(4 + control.length + 4);
  chunk.writeUInt32BE(control.length - 4, 0);
  control.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(control), 4 + control.length);
  return Buffer.concat([PIXEL.subarray(0, PNG_HEAD_BYTES), chunk, PIXEL.subarray(PNG_HEAD_BYTES)]);
};

/** A small true file of the kind that was announced, for what the recorder did not fetch. */
const standInFor = (filename: string, animated: boolean): ReplayFile =>
  BY_EXTENSION.get(path.extname(filename)) ?? {
    bytes: animated ? animatedPixel() : PIXEL,
    type: 'image/png',
  };

/** What GET /view answers for a file that the prompt's history announces; undefined for any other. */
export const announcedFile = ({ entry }: RecordedPrompt, filename: string): ReplayFile | undefined => {
  const announcing = Object.values(asObject(entry?.['outputs'])).find((output) =>
    JSON.stringify(output).includes(JSON.stringify(filename)),
  );
  return announcing === undefined ? undefined : standInFor(filename, 'animated' in asObject(announcing));
};
