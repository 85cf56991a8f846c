/** The files of recordings, as GET /view answers them. */
import path from 'node:path';
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

/** A small true file of the kind that the name promises, for what the recorder did not fetch. */
export const standInFor = (filename: string): ReplayFile =>
  BY_EXTENSION.get(path.extname(filename)) ?? { bytes: PIXEL, type: 'image/png' };

export const announces = ({ entry }: RecordedPrompt, filename: string): boolean =>
  JSON.stringify(entry?.['outputs'] ?? {}).includes(JSON.stringify(filename));
