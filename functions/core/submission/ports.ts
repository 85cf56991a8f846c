/** What submissions need from outside, beside what everybody does. */

/** What an Idempotency-Key stands for. */
export interface KeyedRequest {
  readonly jobId: string;
  /** SHA-256 of what was asked for. */
  readonly requestHash: string;
}

/** Idempotency-Keys of users, by the SHA-256 of the key in hex; kept for 30 days. */
export interface IdempotencyStore {
  /** Consistent read. */
  get(userId: string, keyHash: string): Promise<KeyedRequest | undefined>;
  /** One conditional write: of all who claim a key the first has it, and what it claimed is everybody's answer. */
  claim(userId: string, keyHash: string, request: KeyedRequest): Promise<KeyedRequest>;
}
