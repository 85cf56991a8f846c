/** The bytes of a request, or of an uploaded workflow, as text. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { MAX_TASK_BODY_BYTES, MAX_WORKFLOW_BYTES, TASK_BODY_TOO_LARGE } from '../../../shared-types/index.ts';
import { refuse, type Refusal } from './refusal.ts';

export type Decoded = { readonly kind: 'ok'; readonly text: string } | Refusal;

/** A workflow of the largest size, and what a submission says beside it. */
const MAX_INFLATED_BYTES = MAX_WORKFLOW_BYTES + 64 * 1024;

const inflate = promisify(gunzip);

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** Stops at the limit, whatever the stream would become. */
const inflated = async (bytes: Buffer): Promise<Buffer | Refusal> => {
  try {
    return await inflate(bytes, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    return codeOf(error) === 'ERR_BUFFER_TOO_LARGE'
      ? refuse(413, 'the body is larger than 10 MB once inflated; make the workflow smaller')
      : refuse(400, 'the body is not valid gzip, although its Content-Encoding says so');
  }
};

/** UTF-8 to the letter: a byte that was lost must not become another text. A byte order mark is dropped. */
export const decodeText = (bytes: Uint8Array, what: string): Decoded => {
  try {
    return { kind: 'ok', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return refuse(400, `${what} is not valid UTF-8; send JSON in UTF-8`);
  }
};

/**
 * @param encoding the Content-Encoding header; gzip is the one that is undone
 * (https://www.rfc-editor.org/rfc/rfc9110.html#name-content-encoding)
 */
export const decodeBody = async (
  bytes: Buffer | undefined,
  encoding: string | undefined,
): Promise<Decoded> => {
  if (bytes === undefined || bytes.length === 0) return { kind: 'ok', text: '' };
  const coding = (encoding ?? 'identity').trim().toLowerCase();
  const isGzip = coding === 'gzip' || coding === 'x-gzip';
  if (!isGzip && coding !== 'identity' && coding !== '') {
    return refuse(400, 'the Content-Encoding is unknown here; send gzip, or none');
  }
  if (bytes.length > MAX_TASK_BODY_BYTES) {
    return refuse(413, isGzip ? TASK_BODY_TOO_LARGE.gzip : TASK_BODY_TOO_LARGE.plain);
  }
  const plain = isGzip ? await inflated(bytes) : bytes;
  return Buffer.isBuffer(plain) ? decodeText(plain, 'the body') : plain;
};
