import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose';
import {
  createAuthorizeConnectionHandler,
  keysOfIssuer,
  type AuthorizerAnswer,
} from './authorize-connection.ts';

const issuer = 'https://issuer.example';
const audience = 'comfyui-pipeline';
const methodArn = 'arn:aws:execute-api:eu-west-1:111122223333:api/live/$connect';
const silent = { info: () => {}, warn: () => {}, error: () => {} };

let privateKey: CryptoKey;
let otherKey: CryptoKey;
let authorize: (token: string | undefined) => Promise<AuthorizerAnswer>;

const token = (claims: JWTPayload, key = privateKey): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(key);
const now = (): number => Math.floor(Date.now() / 1000);
const valid = (): JWTPayload => ({ iss: issuer, aud: audience, sub: 'user-1', exp: now() + 300 });

beforeAll(async () => {
  const pair = await generateKeyPair('RS256');
  privateKey = pair.privateKey;
  otherKey = (await generateKeyPair('RS256')).privateKey;
  const keys = createLocalJWKSet({
    keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256' }],
  });
  const handler = createAuthorizeConnectionHandler({ issuer, audience, keys, logger: silent });
  authorize = (value) =>
    handler({ methodArn, queryStringParameters: value === undefined ? null : { token: value } });
});

describe('$connect authorizer', () => {
  test('a token of the issuer opens the connection of its subject', async () => {
    expect(await authorize(await token(valid()))).toMatchObject({
      principalId: 'user-1',
      policyDocument: { Statement: [{ Effect: 'Allow', Resource: methodArn }] },
    });
  });

  const withoutAudience = (): JWTPayload => ({ iss: issuer, sub: 'user-1', exp: now() + 300 });

  test('the audience may be one of several, or the client_id of a token without audience', async () => {
    const good: JWTPayload[] = [
      { ...valid(), aud: ['another', audience] },
      { ...withoutAudience(), client_id: audience },
    ];
    for (const claims of good) expect(await authorize(await token(claims))).toBeDefined();
  });

  test('another client_id, or a client_id beside the audience of another, is refused with 401', async () => {
    const bad: JWTPayload[] = [
      withoutAudience(),
      { ...withoutAudience(), client_id: 'another' },
      { ...withoutAudience(), client_id: `${audience}x` },
      { ...valid(), aud: 'another', client_id: audience },
      { ...valid(), aud: [], client_id: audience },
    ];
    for (const claims of bad) await expect(authorize(await token(claims))).rejects.toThrow(/^Unauthorized$/);
  });

  test('a clock that differs by less than a minute is forgiven, more is not', async () => {
    await expect(authorize(await token({ ...valid(), exp: now() - 30 }))).resolves.toBeDefined();
    await expect(authorize(await token({ ...valid(), exp: now() - 90 }))).rejects.toThrow('Unauthorized');
  });

  test('no token, rubbish, and tokens of others are refused with 401', async () => {
    const bad = [
      undefined,
      '',
      'x',
      'a.b.c',
      new UnsecuredJWT(valid()).encode(),
      await token({ ...valid(), aud: 'another' }),
      await token({ ...valid(), iss: 'https://evil.example' }),
      await token({ ...valid(), sub: '' }),
      await token(valid(), otherKey),
      `${await token(valid())}x`,
      await token({ iss: issuer, aud: audience, sub: 'user-1' }),
      await new SignJWT(valid()).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(new Uint8Array(32)),
    ];
    for (const value of bad) await expect(authorize(value)).rejects.toThrow(/^Unauthorized$/);
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
