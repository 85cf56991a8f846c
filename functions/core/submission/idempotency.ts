/**
 * Idempotency-Key: the same key of the same user is the same task.
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)
 */
import { createHash } from 'node:crypto';
import { uuidV5 } from '../uuid-v5.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface IdempotentRequest {
  readonly kind: 'key';
  readonly jobId: string;
  /** SHA-256 of what was asked for. */
  readonly requestHash: string;
}

/**
 * @param header the Idempotency-Key, if there is one
 * @param asked all that makes the request what it is: operation, path and body
 */
export const readIdempotencyKey = (
  header: string | undefined,
  userId: string,
  asked: readonly string[],
): IdempotentRequest | Refusal | undefined => {
  if (header === undefined) return undefined;
  if (!/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(header)) {
    return refuse(400, 'Idempotency-Key must have 1 to 255 printable ASCII characters');
  }
  const hash = createHash('sha256');
  for (const part of asked) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return {
    kind: 'key',
    jobId: uuidV5(`idempotency:${JSON.stringify([userId, header])}`),
    requestHash: hash.digest('hex'),
  };
};

export const KEY_CONFLICT =
  'this Idempotency-Key was used for another request; repeat that one unchanged, or send a new key';
