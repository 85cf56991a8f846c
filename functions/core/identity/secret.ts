/** Secrets that the control plane gives out: 32 random bytes, of which only the SHA-256 is kept. */
import { createHash } from 'node:crypto';

export interface SecretSource {
  /** `count` random bytes of a cryptographic source. */
  bytes(count: number): Uint8Array;
}

const SECRET_BYTES = 32;
const KEY_ID_BYTES = 8;

/** 43 characters of base64url. */
export const newSecret = (source: SecretSource): string =>
  Buffer.from(source.bytes(SECRET_BYTES)).toString('base64url');

/** 16 hexadecimal digits: no secret, it is listed and logged. */
export const newKeyId = (source: SecretSource): string =>
  Buffer.from(source.bytes(KEY_ID_BYTES)).toString('hex');

/** A secret of 256 random bits needs no salt and no slow hash: there is nothing to guess. */
export const hashOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export const apiKeyText = (keyId: string, secret: string): string => `cpk_${keyId}_${secret}`;
