/** The operating system's cryptographic source. */
import { randomBytes } from 'node:crypto';
import type { SecretSource } from '../core/identity/secret.ts';

export const systemSecrets: SecretSource = { bytes: (count) => randomBytes(count) };
