import { expect, test } from '@jest/globals';
import { secretOf, signatureOf, webhookHeaders } from './standard-webhooks.ts';

/** The example of the specification's own documents, which its libraries verify as well. */
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const TIMESTAMP = 1614265330;
const BODY = '{"test": 2432232314}';

test('signs as every Standard Webhooks library verifies', () => {
  expect(signatureOf(SECRET, ID, TIMESTAMP, BODY)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('a body, an id or an instant that differs has another signature', () => {
  const signature = signatureOf(SECRET, ID, TIMESTAMP, BODY);
  expect(signatureOf(SECRET, ID, TIMESTAMP, `${BODY} `)).not.toBe(signature);
  expect(signatureOf(SECRET, `${ID}x`, TIMESTAMP, BODY)).not.toBe(signature);
  expect(signatureOf(SECRET, ID, TIMESTAMP + 1, BODY)).not.toBe(signature);
});

test('while a secret is rotated both sign, the newest first', () => {
  const fresh = secretOf(new Uint8Array(32).fill(7));
  expect(fresh).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(webhookHeaders([fresh, SECRET], ID, TIMESTAMP, BODY)).toEqual({
    'webhook-id': ID,
    'webhook-timestamp': '1614265330',
    'webhook-signature': `${signatureOf(fresh, ID, TIMESTAMP, BODY)} ${signatureOf(SECRET, ID, TIMESTAMP, BODY)}`,
  });
});
