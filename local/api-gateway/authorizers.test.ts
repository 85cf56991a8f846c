import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import type { CryptoKey, JSONWebKeySet, JWTPayload } from 'jose';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Gateway, integrationUri } from './gateway-fixture.ts';

const issuer = 'https://issuer.example';
const nowSeconds = 1_800_000_000;
let gateway: Gateway;
let issuerServer: Server | undefined;
afterEach(async () => {
  await gateway.service.close();
  issuerServer?.close();
  issuerServer?.closeAllConnections();
  issuerServer = undefined;
});

interface Signer {
  readonly key: CryptoKey;
  readonly keys: JSONWebKeySet;
}

async function signer(kid: string, algorithm = 'RS256'): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  return { key: privateKey, keys: { keys: [{ ...(await exportJWK(publicKey)), kid, alg: algorithm }] } };
}

/** A key pair takes a good part of a second to make, and no test changes it. */
let own: Signer;
beforeAll(async () => {
  own = await signer('k1');
});

const good = { iss: issuer, aud: 'app', exp: nowSeconds + 60, iat: nowSeconds - 1, sub: 'ann' };

async function sign(from: Signer, claims: JWTPayload = good, header: { kid?: string; alg?: string } = {}) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header }).sign(from.key);
}

async function openJwt(
  fetchJwks?: (from: string) => Promise<JSONWebKeySet>,
  scopes?: string[],
  from = issuer,
) {
  gateway = new Gateway({ now: () => nowSeconds * 1000, ...(fetchJwks ? { fetchJwks } : {}) });
  gateway.functions.on('f', () => 'ok');
  const { apiId, endpoint } = await gateway.api('HTTP', { CorsConfiguration: { AllowOrigins: ['*'] } });
  await gateway.stage(apiId, '$default');
  const authorizer = await gateway.create('Authorizer', {
    ApiId: apiId,
    Name: 'jwt',
    AuthorizerType: 'JWT',
    IdentitySource: ['$request.header.Authorization'],
    JwtConfiguration: { Issuer: from, Audience: ['app', 'other'] },
  });
  const guard = { AuthorizationType: 'JWT', AuthorizerId: authorizer.ref };
  await gateway.route(apiId, 'GET /a', 'f', { ...guard, ...(scopes ? { AuthorizationScopes: scopes } : {}) });
  await gateway.route(apiId, 'GET /open', 'f');
  return async (authorization?: string) =>
    fetch(`${endpoint}/a`, authorization === undefined ? {} : { headers: { authorization } });
}

const authorizerOf = (name: string): unknown => {
  const context = gateway.functions.events(name).at(-1)?.['requestContext'] as
    Record<string, unknown> | undefined;
  return context?.['authorizer'];
};

describe('a JWT authorizer', () => {
  test('passes a good token and hands its claims on as text', async () => {
    const key = own;
    const get = await openJwt(async () => key.keys);
    const claims = { ...good, groups: ['a', 'b'], admin: true, address: { city: 'x' } };
    expect((await get(`Bearer ${await sign(key, claims)}`)).status).toBe(200);
    expect(authorizerOf('f')).toEqual({
      jwt: {
        claims: {
          iss: issuer,
          aud: 'app',
          exp: String(nowSeconds + 60),
          iat: String(nowSeconds - 1),
          sub: 'ann',
          groups: '[a b]',
          admin: 'true',
          address: 'map[city:x]',
        },
        scopes: null,
      },
    });
    expect((await get(await sign(key))).status).toBe(200);
  });

  test.each([
    ['no token', undefined, {}],
    ['an expired token', { ...good, exp: nowSeconds - 1 }, {}],
    ['a token without expiry', { iss: issuer, aud: 'app' }, {}],
    ['a token not yet valid', { ...good, nbf: nowSeconds + 5 }, {}],
    ['a token from the future', { ...good, iat: nowSeconds + 5 }, {}],
    ['another issuer', { ...good, iss: 'https://evil.example' }, {}],
    ['another audience', { ...good, aud: 'nobody' }, {}],
    ['no audience at all', { iss: issuer, exp: nowSeconds + 60 }, {}],
    ['an unknown key', good, { kid: 'k9' }],
    ['no key id', good, { kid: undefined }],
  ])('refuses %s with 401', async (_name, claims, header) => {
    const key = own;
    const get = await openJwt(async () => key.keys);
    const token = claims && (await sign(key, claims, header as { kid?: string }));
    const response = await get(token === undefined ? undefined : `Bearer ${token}`);
    expect([response.status, await response.text()]).toEqual([401, '{"message":"Unauthorized"}']);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(gateway.functions.calls).toEqual([]);
  });

  test('refuses unsigned, tampered, foreign and malformed tokens', async () => {
    const key = own;
    const get = await openJwt(async () => key.keys);
    const [head, , signature] = (await sign(key)).split('.');
    const forged = Buffer.from(JSON.stringify({ ...good, sub: 'root' })).toString('base64url');
    const elliptic = await signer('k1', 'ES256');
    const tokens = [
      new UnsecuredJWT(good).encode(),
      `${head}.${forged}.${signature}`,
      await sign(await signer('k1')),
      await sign(elliptic, good, { alg: 'ES256' }),
      'x.y.z',
      'Bearer',
      '',
    ];
    for (const token of tokens) expect((await get(`Bearer ${token}`)).status).toBe(401);
    expect(gateway.functions.calls).toEqual([]);
  });

  test('takes client_id for a token without audience', async () => {
    const key = own;
    const get = await openJwt(async () => key.keys);
    const claims = { iss: issuer, client_id: 'other', exp: nowSeconds + 60 };
    expect((await get(`Bearer ${await sign(key, claims)}`)).status).toBe(200);
  });

  test('asks for one of the scopes of the route', async () => {
    const key = own;
    const get = await openJwt(async () => key.keys, ['write', 'admin']);
    const response = await get(`Bearer ${await sign(key, { ...good, scope: 'read' })}`);
    expect([response.status, await response.text()]).toEqual([403, '{"message":"Forbidden"}']);
    expect((await get(`Bearer ${await sign(key, { ...good, scope: 'read write' })}`)).status).toBe(200);
    expect(authorizerOf('f')).toMatchObject({ jwt: { scopes: ['read', 'write'] } });
    expect((await get(`Bearer ${await sign(key, { ...good, scp: ['admin'] })}`)).status).toBe(200);
  });

  test('keeps the keys, and an unreachable issuer is 401 and asked again', async () => {
    const key = own;
    let asked = 0;
    let isUp = false;
    const get = await openJwt(async () => {
      asked += 1;
      if (!isUp) throw new Error('down');
      return key.keys;
    });
    const token = `Bearer ${await sign(key)}`;
    expect((await get(token)).status).toBe(401);
    isUp = true;
    expect([(await get(token)).status, (await get(token)).status, asked]).toEqual([200, 200, 2]);
  });

  test('finds the keys through OpenID discovery', async () => {
    const key = own;
    issuerServer = createServer((request, response) => {
      const keysAt = `http://${request.headers.host}/keys`;
      const isDiscovery = request.url === '/.well-known/openid-configuration';
      response.end(JSON.stringify(isDiscovery ? { jwks_uri: keysAt } : key.keys));
    }).listen(0, '127.0.0.1');
    await once(issuerServer, 'listening');
    const address = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}`;
    const get = await openJwt(undefined, undefined, address);
    expect((await get(`Bearer ${await sign(key, { ...good, iss: address })}`)).status).toBe(200);
  });
});

async function openLambda(properties: Record<string, unknown>, now = () => nowSeconds * 1000) {
  gateway = new Gateway({ now });
  gateway.functions.on('f', () => 'ok');
  const { apiId, endpoint } = await gateway.api('HTTP');
  await gateway.stage(apiId, '$default');
  const authorizer = await gateway.create('Authorizer', {
    ApiId: apiId,
    Name: 'a',
    AuthorizerType: 'REQUEST',
    AuthorizerUri: integrationUri('auth'),
    IdentitySource: ['$request.header.Authorization'],
    ...properties,
  });
  const guard = { AuthorizationType: 'CUSTOM', AuthorizerId: authorizer.ref };
  await gateway.route(apiId, 'GET /a/{id}', 'f', guard);
  return async (path = '/a/1', authorization: string | undefined = 'token') =>
    fetch(`${endpoint}${path}`, authorization === '' ? {} : { headers: { authorization } });
}

const simple = { AuthorizerPayloadFormatVersion: '2.0', EnableSimpleResponses: true };
const policy = (Effect: string, Resource: unknown, extra: object = {}) => ({
  principalId: 'ann',
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Action: 'execute-api:Invoke', Effect, Resource, ...extra }],
  },
  context: { team: 'blue' },
});

describe('a Lambda authorizer', () => {
  test('with simple responses passes its context on', async () => {
    const get = await openLambda(simple);
    gateway.functions.on('auth', () => ({ isAuthorized: true, context: { n: 1, list: ['a'] } }));
    expect((await get()).status).toBe(200);
    expect(authorizerOf('f')).toEqual({ lambda: { n: 1, list: ['a'] } });
    expect(gateway.functions.events('auth')[0]).toMatchObject({
      version: '2.0',
      type: 'REQUEST',
      routeKey: 'GET /a/{id}',
      identitySource: ['token'],
      pathParameters: { id: '1' },
      rawPath: '/a/1',
    });
    expect(gateway.functions.events('auth')[0]?.['routeArn']).toMatch(
      /^arn:aws:execute-api:eu-west-1:123456789012:\w{10}\/\$default\/GET\/a\/1$/,
    );
  });

  test.each([
    ['says no', () => ({ isAuthorized: false }), 403, 'Forbidden'],
    ['answers nonsense', () => ({ isAuthorized: 'yes' }), 500, 'Internal Server Error'],
    ['answers nothing', () => undefined, 500, 'Internal Server Error'],
    ['fails', () => Promise.reject(new Error('x')), 500, 'Internal Server Error'],
  ])('that %s lets nobody in', async (_name, handler, status, message) => {
    const get = await openLambda(simple);
    gateway.functions.on('auth', handler);
    const response = await get();
    expect([response.status, await response.json()]).toEqual([status, { message }]);
    expect(gateway.functions.events('f')).toEqual([]);
  });

  test('is not asked when the identity is missing', async () => {
    const get = await openLambda(simple);
    expect((await get('/a/1', '')).status).toBe(401);
    expect(gateway.functions.calls).toEqual([]);
  });

  test('with a policy is asked in format 1.0 and judged per path', async () => {
    const get = await openLambda({ AuthorizerPayloadFormatVersion: '1.0' });
    gateway.functions.on('auth', () => policy('Allow', 'arn:aws:execute-api:*:*:*/GET/a/1'));
    expect([(await get('/a/1')).status, (await get('/a/2')).status]).toEqual([200, 403]);
    expect(authorizerOf('f')).toEqual({ lambda: { team: 'blue' } });
    expect(gateway.functions.events('auth')[0]).toMatchObject({
      version: '1.0',
      authorizationToken: 'token',
      resource: '/a/{id}',
      httpMethod: 'GET',
      path: '/a/1',
    });
  });

  test.each([
    ['an explicit deny', policy('Deny', '*'), 403],
    ['a condition it cannot judge', policy('Allow', '*', { Condition: {} }), 500],
    ['another action', policy('Allow', '*', { Action: 's3:*' }), 403],
    ['no principal', { ...policy('Allow', '*'), principalId: undefined }, 500],
    ['no policy', { principalId: 'x' }, 500],
  ])('refuses on %s', async (_name, answer, status) => {
    const get = await openLambda({ AuthorizerPayloadFormatVersion: '1.0' });
    gateway.functions.on('auth', () => answer);
    expect((await get()).status).toBe(status);
  });

  test('remembers an answer for its time, by identity', async () => {
    let now = 0;
    const get = await openLambda({ ...simple, AuthorizerResultTtlInSeconds: 10 }, () => now);
    gateway.functions.on('auth', () => ({ isAuthorized: true }));
    await get('/a/1', 'x');
    await get('/a/1', 'x');
    await get('/a/1', 'y');
    expect(gateway.functions.events('auth')).toHaveLength(2);
    now = 10_001;
    await get('/a/1', 'x');
    expect(gateway.functions.events('auth')).toHaveLength(3);
  });
});

describe('a Lambda authorizer without identity sources', () => {
  const open = { ...simple, IdentitySource: [], AuthorizerResultTtlInSeconds: 0 };

  test('is asked for every request, whether or not it carries credentials', async () => {
    const get = await openLambda(open);
    gateway.functions.on('auth', ({ headers }) => ({
      isAuthorized: true,
      context: { user: (headers as Record<string, string>)['authorization'] ?? 'nobody' },
    }));
    for (const authorization of ['', 'x', 'x']) await get('/a/1', authorization);
    expect(gateway.functions.events('auth')).toHaveLength(3);
    expect(gateway.functions.events('auth')[0]).toMatchObject({ identitySource: null });
    const callers = gateway.functions
      .events('f')
      .map(({ requestContext }) => (requestContext as Record<string, unknown>)['authorizer']);
    expect(callers).toEqual([
      { lambda: { user: 'nobody' } },
      { lambda: { user: 'x' } },
      { lambda: { user: 'x' } },
    ]);
  });

  test('guards its own routes and no others, with any method, and lets preflights by', async () => {
    gateway = new Gateway();
    gateway.functions.on('f', () => ({ statusCode: 204 }));
    gateway.functions.on('auth', () => ({ isAuthorized: true, context: {} }));
    const methods = ['PUT', 'PATCH', 'DELETE'];
    const cors = {
      AllowOrigins: ['http://a.example'],
      AllowMethods: methods,
      AllowHeaders: ['authorization'],
    };
    const { apiId, endpoint } = await gateway.api('HTTP', { CorsConfiguration: cors });
    await gateway.stage(apiId, '$default');
    const uri = { AuthorizerType: 'REQUEST', AuthorizerUri: integrationUri('auth') };
    const authorizer = await gateway.create('Authorizer', { ApiId: apiId, ...uri, ...open });
    const guard = { AuthorizationType: 'CUSTOM', AuthorizerId: authorizer.ref };
    for (const method of methods) await gateway.route(apiId, `${method} /a/{id}`, 'f', guard);
    await gateway.route(apiId, 'GET /open', 'f');
    const origin = 'http://a.example';
    for (const method of methods) {
      const asked = { origin, 'access-control-request-method': method };
      const preflight = await fetch(`${endpoint}/a/1`, { method: 'OPTIONS', headers: asked });
      expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
        204,
        'PUT,PATCH,DELETE',
      ]);
      const response = await fetch(`${endpoint}/a/1`, { method, headers: { origin } });
      expect([response.status, await response.text()]).toEqual([204, '']);
      expect(response.headers.get('access-control-allow-origin')).toBe(origin);
    }
    expect((await fetch(`${endpoint}/open`)).status).toBe(204);
    expect((await fetch(`${endpoint}/a/1`)).status).toBe(404);
    expect(gateway.functions.events('auth').map(({ routeKey }) => routeKey)).toEqual(
      methods.map((method) => `${method} /a/{id}`),
    );
  });
});

test('a preflight of a route that asks for authorization on every method meets the authorizer', async () => {
  gateway = new Gateway();
  const { apiId, endpoint } = await gateway.api('HTTP', { CorsConfiguration: { AllowOrigins: ['*'] } });
  await gateway.stage(apiId, '$default');
  const properties = {
    ApiId: apiId,
    AuthorizerType: 'REQUEST',
    AuthorizerUri: integrationUri('auth'),
    ...simple,
  };
  const authorizer = await gateway.create('Authorizer', {
    ...properties,
    IdentitySource: ['$request.header.X'],
  });
  await gateway.route(apiId, '$default', 'f', { AuthorizationType: 'CUSTOM', AuthorizerId: authorizer.ref });
  const headers = { origin: 'http://a.example', 'access-control-request-method': 'GET' };
  expect((await fetch(endpoint, { method: 'OPTIONS', headers })).status).toBe(401);
});
