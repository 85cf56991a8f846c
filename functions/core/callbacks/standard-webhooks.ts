/**
 * Signatures of callbacks, as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`, base64, one
 * signature a secret, so that a receiver may verify with any library of that name.
 * (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md)
 */
import { createHmac } from 'node:crypto';

export const SECRET_PREFIX = 'whsec_';
/** Bytes of a new secret; the specification asks for 24 to 64. */
export const SECRET_BYTES = 32;

/** @param bytes `SECRET_BYTES` random ones */
export const secretOf = (bytes: Uint8Array): string =>
  `${SECRET_PREFIX}${Buffer.from(bytes).toString('base64')}`;

/**
 * @param secret `whsec_…`
 * @param timestampSeconds since the epoch, whole
 */
export const signatureOf = (secret: string, id: string, timestampSeconds: number, body: string): string => {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  const digest = createHmac('sha256', key)
    .update(`${id}.${timestampSeconds}.${body}`, 'utf8')
    .digest('base64');
  return `v1,${digest}`;
};

/** @param secrets the newest first; while one is rotated both sign */
export const webhookHeaders = (
  secrets: readonly string[],
  id: string,
  timestampSeconds: number,
  body: string,
): Readonly<Record<string, string>> => ({
  'webhook-id': id,
  'webhook-timestamp': String(timestampSeconds),
  'webhook-signature': secrets.map((secret) => signatureOf(secret, id, timestampSeconds, body)).join(' '),
});
