/** Files for workflows: asked for at the API, sent to the address that it names. */
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { createFileResponseSchema } from '../shared-types/index.ts';
import type { Api } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.webp', 'image/webp'],
  ['.gif', 'image/gif'],
  ['.mp4', 'video/mp4'],
  ['.webm', 'video/webm'],
  ['.mp3', 'audio/mpeg'],
  ['.wav', 'audio/wav'],
  ['.flac', 'audio/flac'],
  ['.json', 'application/json'],
]);

/** Uploads bytes under a name and answers their `file_id`. @throws CliError */
export const uploadBytes = async (filename: string, bytes: Blob, api: Api): Promise<string> => {
  const { file_id, upload_url, headers } = await api.json(createFileResponseSchema, {
    method: 'POST',
    path: '/files',
    body: JSON.stringify({
      filename,
      content_type: TYPES.get(extname(filename).toLowerCase()) ?? 'application/octet-stream',
      size: bytes.size,
    }),
  });
  const answer = await fetch(upload_url, { method: 'PUT', headers, body: bytes }).catch(() => undefined);
  if (answer?.ok === true) return file_id;
  throw new CliError(
    EXIT.unavailable,
    `${filename}: the upload was answered ${answer?.status ?? 'not at all'}`,
  );
};

/** Uploads a file, which is not read into memory. @throws CliError */
export const uploadFile = async (file: string, api: Api): Promise<string> => {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) throw new CliError(EXIT.usage, `${file}: there is no such file`);
  return uploadBytes(basename(file), await openAsBlob(file), api);
};
