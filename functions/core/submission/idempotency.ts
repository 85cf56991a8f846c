/**
 * Idempotency-Key: the same key of the same user is the same task. The id of the task is as random as any other, for
 * the addresses of its pictures are derived from it: what a key stands for is kept in an item of its own.
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)
 */
import { createHash } from 'node:crypto';
import type { Ids } from '../ports.ts';
import type { IdempotencyStore } from './ports.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface IdempotencyDependencies {
  readonly idempotency: IdempotencyStore;
  readonly ids: Ids;
}

export interface IdempotencyKey {
  readonly kind: 'key';
  readonly userId: string;
  /** SHA-256 in hex, as the request's hash. */
  readonly keyHash: string;
  /** Of what was asked for. */
  readonly requestHash: string;
}

/** What a task is known by. */
export interface TaskIdentity {
  readonly jobId: string;
  /** Null without a key. */
  readonly requestHash: string | null;
}

/**
 * @param header the Idempotency-Key, if there is one
 * @param asked all that makes the request what it is: operation, path and body
 */
export const readIdempotencyKey = (
  header: string | undefined,
  userId: string,
  asked: readonly string[],
): IdempotencyKey | Refusal | undefined => {
  if (header === undefined) return undefined;
  if (!/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(header)) {
    return refuse(400, 'Idempotency-Key must have 1 to 255 printable ASCII characters');
  }
  const hash = createHash('sha256');
  for (const part of asked) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  const keyHash = createHash('sha256').update(header).digest('hex');
  return { kind: 'key', userId, keyHash, requestHash: hash.digest('hex') };
};

export const KEY_CONFLICT =
  'this Idempotency-Key was used for another request; repeat that one unchanged, or send a new key';

/**
 * The identity under which to accept a request that was found good. With a key it is the one that was claimed first,
 * by a request that ended before its task was made, or by one that makes it at this moment.
 */
export const identify = async (
  key: IdempotencyKey | undefined,
  { idempotency, ids }: IdempotencyDependencies,
): Promise<{ readonly kind: 'ok'; readonly identity: TaskIdentity } | Refusal> => {
  const jobId = ids.uuid();
  if (key === undefined) return { kind: 'ok', identity: { jobId, requestHash: null } };
  const { userId, keyHash, requestHash } = key;
  const identity = await idempotency.claim(userId, keyHash, { jobId, requestHash });
  return identity.requestHash === requestHash ? { kind: 'ok', identity } : refuse(409, KEY_CONFLICT);
};
