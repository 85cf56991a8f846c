/** Files for workflows: asked for at the API, sent to the address that it names. */
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { createFileResponseSchema, MAX_UPLOAD_BYTES } from '../shared-types/index.ts';
import type { Api, Sleep } from './api.ts';
import { CliError, EXIT } from './cli-error.ts';

export interface UploadDependencies {
  readonly api: Api;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
}

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

const TRIES = 4;
const FIRST_WAIT_MS = 500;

type Put = { readonly url: string; readonly headers: Record<string, string>; readonly bytes: Blob };

/** Status, or undefined when there was no answer. */
const put = async ({ url, headers, bytes }: Put, signal: AbortSignal): Promise<number | undefined> => {
  try {
    const answer = await fetch(url, { method: 'PUT', headers, body: bytes, redirect: 'error', signal });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
};

const putWithRetries = async (name: string, request: Put, deps: UploadDependencies): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    const status = await put(request, deps.signal);
    if (status !== undefined && status >= 200 && status < 300) return;
    const passing = status === undefined || status >= 500;
    if (!passing || tries >= TRIES)
      throw new CliError(EXIT.unavailable, `${name}: the upload was answered ${status ?? 'not at all'}`);
    await deps.sleep(FIRST_WAIT_MS * 2 ** (tries - 1), deps.signal);
  }
};

/** Uploads bytes under a name and answers their `file_id`. @throws CliError */
export const uploadBytes = async (
  filename: string,
  bytes: Blob,
  deps: UploadDependencies,
): Promise<string> => {
  const { file_id, upload_url, headers } = await deps.api.json(createFileResponseSchema, {
    method: 'POST',
    path: '/files',
    body: JSON.stringify({
      filename,
      content_type: TYPES.get(extname(filename).toLowerCase()) ?? 'application/octet-stream',
      size: bytes.size,
    }),
    repeatable: true,
  });
  await putWithRetries(filename, { url: upload_url, headers, bytes }, deps);
  return file_id;
};

/** Said before anything is sent. @throws CliError */
export const checkUpload = async (file: string): Promise<void> => {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) throw new CliError(EXIT.usage, `${file}: there is no such file`);
  if (found.size === 0) throw new CliError(EXIT.usage, `${file}: this file is empty`);
  if (found.size > MAX_UPLOAD_BYTES)
    throw new CliError(EXIT.usage, `${file}: a file has at most ${MAX_UPLOAD_BYTES / 1024 / 1024} MB`);
};

/** Uploads a file, which is not read into memory. @throws CliError */
export const uploadFile = async (file: string, deps: UploadDependencies): Promise<string> =>
  uploadBytes(basename(file), await openAsBlob(file), deps);
