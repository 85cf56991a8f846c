import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { createFakeApiKeyStore } from '../adapters/dynamodb/api-key-store.fake.ts';
import { apiKeyText, hashOfSecret } from '../core/identity/secret.ts';
import { createFakeClock } from '../core/test-support/fake-clock.ts';
import { createSilentLogger } from '../core/test-support/fixtures.ts';
import { createAuthorizeRequestHandler } from './authorize-request.ts';
import { createTokenVerifier, keysOfIssuer } from './verify-token.ts';

const issuer = 'https://issuer.example';
const audience = 'comfyui-pipeline';
const USER = 'tasks:read tasks:write workers:read keys:write';
const KEY_ID = '0123456789abcdef';
const SECRET = 'S'.repeat(43);

let privateKey: CryptoKey;
let otherKey: CryptoKey;
let issuerKeys: JWTVerifyGetKey;
beforeAll(async () => {
  const pair = await generateKeyPair('RS256');
  privateKey = pair.privateKey;
  otherKey = (await generateKeyPair('RS256')).privateKey;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256' };
  issuerKeys = createLocalJWKSet({ keys: [jwk] });
});

const setUp = ({ openAccess = false, withIssuer = true } = {}) => {
  const logger = createSilentLogger();
  const keys = createFakeApiKeyStore();
  const clock = createFakeClock();
  const tokens = createTokenVerifier({ issuer, audience, keys: issuerKeys, logger });
  const handler = createAuthorizeRequestHandler({
    keys,
    tokens: withIssuer ? tokens : undefined,
    clock,
    openAccess,
    logger,
  });
  const authorize = async (authorization: string | undefined, place: Record<string, string> = {}) => {
    const headers = { ...place, ...(authorization === undefined ? {} : { authorization }) };
    return (await handler({ routeKey: 'GET /api/v1/tasks', headers })).context;
  };
  return { logger, keys, clock, authorize };
};

const now = (): number => Math.floor(Date.now() / 1000);
const valid = (): JWTPayload => ({ iss: issuer, aud: audience, sub: 'user-1', exp: now() + 300 });
const token = (claims: JWTPayload, key = privateKey): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(key);
const bearer = async (claims: JWTPayload): Promise<string> => `Bearer ${await token(claims)}`;
const nobody = (refusal: string) => ({ userId: '', scopes: '', refusal });

describe('a token of the issuer', () => {
  test('is its subject, who may do all but operate', async () => {
    const { authorize } = setUp();
    expect(await authorize(await bearer(valid()))).toEqual({ userId: 'user-1', scopes: USER });
  });

  test.each<[string, JWTPayload]>([
    ['scope, as text', { scope: 'openid comfyui:admin' }],
    ['scp, as a list', { scp: ['comfyui:admin'] }],
    ['permissions, as a list', { permissions: ['x', 'comfyui:admin'] }],
  ])('makes an operator by %s', async (_how, claims) => {
    const { authorize } = setUp();
    expect(await authorize(await bearer({ ...valid(), ...claims }))).toEqual({
      userId: 'user-1',
      scopes: `${USER} admin`,
    });
  });

  test.each<[string, JWTPayload]>([
    ['admin of something else', { scope: 'admin', permissions: ['other:admin'] }],
    ['a longer word', { scope: 'comfyui:administrator' }],
    ['a role', { role: 'comfyui:admin', roles: ['comfyui:admin'] }],
    ['an object', { permissions: { 'comfyui:admin': true } }],
    ['true', { admin: true }],
  ])('makes no operator by %s', async (_how, claims) => {
    const { authorize } = setUp();
    expect(await authorize(await bearer({ ...valid(), ...claims }))).toMatchObject({ scopes: USER });
  });

  const withoutAudience = (): JWTPayload => ({ iss: issuer, sub: 'user-1', exp: now() + 300 });

  test('the audience may be one of several, or the client_id of a token without audience', async () => {
    const { authorize } = setUp();
    const good = [
      { ...valid(), aud: ['another', audience] },
      { ...withoutAudience(), client_id: audience },
    ];
    for (const claims of good) expect(await authorize(await bearer(claims))).toMatchObject({ scopes: USER });
  });

  test('another audience or client_id, another issuer, and no subject are nobody', async () => {
    const { authorize } = setUp();
    const bad: JWTPayload[] = [
      withoutAudience(),
      { ...withoutAudience(), client_id: `${audience}x` },
      { ...valid(), aud: 'another', client_id: audience },
      { ...valid(), aud: [], client_id: audience },
      { ...valid(), iss: 'https://evil.example' },
      { ...valid(), sub: '' },
      { ...valid(), sub: 'x'.repeat(129) },
      { iss: issuer, aud: audience, sub: 'user-1' },
    ];
    for (const claims of bad) expect(await authorize(await bearer(claims))).toEqual(nobody('badToken'));
  });

  test('a clock that differs by less than a minute is forgiven, more is not', async () => {
    const { authorize } = setUp();
    expect(await authorize(await bearer({ ...valid(), exp: now() - 30 }))).toMatchObject({ scopes: USER });
    expect(await authorize(await bearer({ ...valid(), exp: now() - 90 }))).toEqual(nobody('expiredToken'));
    expect(await authorize(await bearer({ ...valid(), nbf: now() + 90 }))).toEqual(nobody('badToken'));
  });

  test('rubbish, unsigned, tampered and foreign signatures are nobody', async () => {
    const { authorize } = setUp();
    const [header, , signature] = (await token(valid())).split('.');
    const claims = Buffer.from(JSON.stringify({ ...valid(), sub: 'admin' })).toString('base64url');
    const bad = [
      'x',
      'a.b.c',
      new UnsecuredJWT(valid()).encode(),
      await token(valid(), otherKey),
      `${await token(valid())}x`,
      `${header}.${claims}.${signature}`,
      await new SignJWT(valid()).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(new Uint8Array(32)),
    ];
    for (const each of bad) {
      expect(await authorize(`Bearer ${each}`)).toMatchObject({ userId: '', scopes: '' });
    }
  });

  test('is nobody where no issuer is configured', async () => {
    const { authorize } = setUp({ withIssuer: false });
    expect(await authorize(await bearer(valid()))).toEqual(nobody('noTokens'));
  });
});

describe('an API key', () => {
  const withKey = async () => {
    const world = setUp();
    await world.keys.create(
      {
        keyId: KEY_ID,
        userId: 'user-2',
        name: 'script',
        scopes: ['tasks:read'],
        createdAt: world.clock.iso(),
        expiresAt: world.clock.iso(1000),
        revokedAt: null,
      },
      hashOfSecret(SECRET),
    );
    return world;
  };
  const text = `Bearer ${apiKeyText(KEY_ID, SECRET)}`;

  test('is its user with its scopes, however the scheme is written', async () => {
    const { authorize } = await withKey();
    for (const each of [text, text.replace('Bearer', 'bearer'), text.replace(' ', '  '), `${text} `]) {
      expect(await authorize(each)).toEqual({ userId: 'user-2', scopes: 'tasks:read' });
    }
  });

  test('is nobody once revoked, and from the moment it expires', async () => {
    const { authorize, clock, keys } = await withKey();
    clock.advance(1000);
    expect(await authorize(text)).toEqual(nobody('expiredKey'));
    await keys.revoke('user-2', KEY_ID, clock.iso());
    expect(await authorize(text)).toEqual(nobody('revokedKey'));
  });

  test('is nobody with another secret, or with the id of another key', async () => {
    const { authorize } = await withKey();
    for (const each of [
      apiKeyText(KEY_ID, 'T'.repeat(43)),
      apiKeyText('f'.repeat(16), SECRET),
      apiKeyText(KEY_ID, hashOfSecret(SECRET).slice(0, 43)),
    ]) {
      expect(await authorize(`Bearer ${each}`)).toEqual(nobody('unknownKey'));
    }
  });

  test('is in no log line', async () => {
    const { authorize, logger } = await withKey();
    await authorize(`Bearer ${apiKeyText('f'.repeat(16), SECRET)}`);
    await authorize(`Bearer ${await token({ ...valid(), aud: 'x' })}`);
    expect(logger.lines).toHaveLength(2);
    expect(JSON.stringify(logger.lines)).not.toMatch(/SSSS|eyJ/);
  });
});

describe('what is no credential', () => {
  const broken = [
    'Basic dXNlcjpwYXNz',
    'Bearer',
    'Bearer a b',
    'Bearer a,Bearer b',
    `Bearer cpk_${KEY_ID}`,
    `Bearer cpk_${KEY_ID}_${SECRET}x`,
    `Bearer cpk_${KEY_ID.toUpperCase()}_${SECRET}`,
    'Bearer cpk___proto___x',
    `Bearer ${'a'.repeat(9000)}`,
    'Bearer x\r\nx-user: admin',
    '\u0000',
  ];

  test.each(broken)('is nobody, on the open stage as well: %.30s', async (text) => {
    for (const openAccess of [false, true]) {
      expect(await setUp({ openAccess }).authorize(text)).toEqual(nobody('malformed'));
    }
  });

  test('nothing at all is nobody', async () => {
    const { authorize } = setUp();
    for (const each of [undefined, '', ' ']) expect(await authorize(each)).toEqual(nobody('noCredentials'));
  });
});

describe('open access', () => {
  test.each([{ origin: 'http://evil.example' }, { host: 'rebound.example:8080' }, { origin: 'null' }])(
    'a page of another site is nobody: %j',
    async (place) => {
      const { authorize } = setUp({ openAccess: true });
      expect(await authorize(undefined, place)).toEqual(nobody('foreignPage'));
    },
  );

  test('takes everybody without credentials for one user who may do anything', async () => {
    const { authorize } = setUp({ openAccess: true });
    const local = { userId: 'local', scopes: `${USER} admin` };
    for (const each of [undefined, '']) expect(await authorize(each)).toEqual(local);
  });

  test('still holds credentials to what they are', async () => {
    const { authorize } = setUp({ openAccess: true });
    expect(await authorize(await bearer(valid()))).toEqual({ userId: 'user-1', scopes: USER });
    expect(await authorize(await bearer({ ...valid(), aud: 'x' }))).toEqual(nobody('badToken'));
    expect(await authorize(`Bearer ${apiKeyText(KEY_ID, SECRET)}`)).toEqual(nobody('unknownKey'));
  });
});

describe('keys of an issuer', () => {
  test('a discovery that failed is tried again for the next token', async () => {
    let calls = 0;
    const keys = keysOfIssuer(`${issuer}/`, async (url) => {
      calls += 1;
      expect(url).toBe(`${issuer}/.well-known/openid-configuration`);
      return calls === 1 ? {} : { jwks_uri: 'http://127.0.0.1:1/keys' };
    });
    await expect(keys({ alg: 'RS256' }, { payload: '', signature: '' })).rejects.toThrow('jwks_uri');
    await expect(keys({ alg: 'RS256' }, { payload: '', signature: '' })).rejects.not.toThrow('jwks_uri');
    expect(calls).toBe(2);
  });
});
