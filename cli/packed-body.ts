/** Bodies of more than a megabyte travel compressed. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { MAX_TASK_BODY_BYTES } from '../shared-types/index.ts';

export interface PackedBody {
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export const COMPRESS_ABOVE_BYTES = 1024 * 1024;

const compress = promisify(gzip);

/** Undefined when it is too large for a request even so. */
export const packBody = async (body: string): Promise<PackedBody | undefined> => {
  if (Buffer.byteLength(body) <= COMPRESS_ABOVE_BYTES) return { body, headers: {} };
  const packed = await compress(body);
  if (packed.length > MAX_TASK_BODY_BYTES) return undefined;
  return { body: packed, headers: { 'content-encoding': 'gzip' } };
};
