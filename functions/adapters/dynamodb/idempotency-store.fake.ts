/** Idempotency-Keys in memory. */
import type { Clock } from '../../core/ports.ts';
import type { IdempotencyStore, KeyedRequest } from '../../core/submission/ports.ts';
import { expiryOf } from './table.ts';

export interface FakeIdempotencyStore extends IdempotencyStore {
  /** By user and hash of the key. */
  readonly claims: Map<string, KeyedRequest & { readonly expiresAt: number }>;
}

export const createFakeIdempotencyStore = ({ clock }: { readonly clock: Clock }): FakeIdempotencyStore => {
  const claims: FakeIdempotencyStore['claims'] = new Map();
  const get = (userId: string, keyHash: string): KeyedRequest | undefined => {
    const claim = claims.get(JSON.stringify([userId, keyHash]));
    if (claim === undefined || claim.expiresAt * 1000 <= clock.now()) return undefined;
    return { jobId: claim.jobId, requestHash: claim.requestHash };
  };
  return {
    claims,
    get: async (userId, keyHash) => get(userId, keyHash),
    claim: async (userId, keyHash, request) => {
      const first = get(userId, keyHash);
      if (first !== undefined) return first;
      claims.set(JSON.stringify([userId, keyHash]), { ...request, expiresAt: expiryOf(clock.now()) });
      return request;
    },
  };
};
