import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { gzipSync } from 'node:zlib';
import { apiRoutes, type OperationId } from '../../../shared-types/api-routes.ts';
import { ALL_SCOPES } from '../../core/identity/scopes.ts';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { apiEvent } from '../test-support/api-event.ts';
import { errorReply, httpHandler, type HttpReply, type HttpRequest } from './http-handler.ts';

const setUp = (reply: HttpReply = { status: 200, body: '{}' }) => {
  const logger = createSilentLogger();
  const seen: HttpRequest[] = [];
  const handler = httpHandler(logger, async (each) => {
    seen.push(each);
    return reply;
  });
  return { logger, seen, handler };
};

const oneLine = expect.stringMatching(/^\{"error":"[^"\n]+"\}$/);
const withContext = (requestContext: unknown) =>
  ({ ...apiEvent('getTask'), requestContext }) as unknown as APIGatewayProxyEventV2;

describe('who calls', () => {
  test('is whom the authorizer found', async () => {
    const { handler, seen } = setUp();
    await handler(apiEvent('getTask', { userId: 'user-7', scopes: ['tasks:read', 'admin'] }));
    expect(seen).toMatchObject([{ userId: 'user-7', scopes: ['tasks:read', 'admin'], operation: 'getTask' }]);
  });

  test.each([
    ['no authorizer', {}],
    ['an authorizer that is null', { authorizer: null }],
    ['an authorizer of another kind', { authorizer: { jwt: { claims: { sub: 'user-1' } } } }],
    ['no context', { authorizer: { lambda: null } }],
    ['no user', { authorizer: { lambda: { scopes: 'tasks:read' } } }],
    ['an empty user', { authorizer: { lambda: { userId: '', scopes: 'tasks:read' } } }],
    ['a user that is no text', { authorizer: { lambda: { userId: ['local'], scopes: 'tasks:read' } } }],
    [
      'a user of 129 characters',
      { authorizer: { lambda: { userId: 'x'.repeat(129), scopes: 'tasks:read' } } },
    ],
  ])('is nobody with %s: 401, and the route is not run', async (_what, context) => {
    const { handler, seen } = setUp();
    expect(await handler(withContext(context))).toMatchObject({
      statusCode: 401,
      headers: { 'www-authenticate': 'Bearer' },
      body: oneLine,
    });
    expect(seen).toEqual([]);
  });

  test('is told why the credentials were refused, in words of our own', async () => {
    const { handler } = setUp();
    const bodyFor = async (refusal: unknown) => {
      const lambda = { userId: '', scopes: 'admin tasks:read', refusal };
      const { statusCode, body } = await handler(withContext({ authorizer: { lambda } }));
      expect(statusCode).toBe(401);
      return body;
    };
    expect(await bodyFor('revokedKey')).toContain('revoked');
    expect(await bodyFor('expiredToken')).toContain('expired');
    for (const unknown of [undefined, 'toString', '__proto__', 'x', ['revokedKey']]) {
      expect(await bodyFor(unknown)).toContain('Authorization: Bearer');
    }
  });
});

describe('what they may', () => {
  const operations = Object.keys(apiRoutes) as OperationId[];

  test.each(operations)('%s asks for its own scope and no other', async (operation) => {
    const { handler, seen } = setUp();
    const { scope } = apiRoutes[operation];
    for (const each of ALL_SCOPES) {
      const { statusCode, body } = await handler(apiEvent(operation, { scopes: [each] }));
      const open = scope === 'none' || scope === each;
      expect(statusCode).toBe(open ? 200 : 403);
      if (!open) expect(body).toContain(scope);
    }
    expect(seen).toHaveLength(scope === 'none' ? ALL_SCOPES.length : 1);
  });

  test.each([
    ['nothing', undefined],
    ['a list', ['tasks:read']],
    ['another word', 'tasks:readx tasks'],
    ['other letters', 'TASKS:READ'],
  ])('is nothing when the scopes are %s', async (_what, scopes) => {
    const { handler, seen } = setUp();
    const event = withContext({ authorizer: { lambda: { userId: 'user-1', scopes } } });
    expect(await handler(event)).toMatchObject({ statusCode: 403, body: oneLine });
    expect(seen).toEqual([]);
  });

  test('on routes of scope none nobody is asked, and nobody is known', async () => {
    const { handler, seen } = setUp();
    await handler(apiEvent('getOpenApi', { userId: null }));
    expect(seen).toMatchObject([{ userId: '', scopes: [], operation: 'getOpenApi' }]);
  });

  test('a route that is not in the table is 404', async () => {
    const { handler, seen } = setUp();
    for (const routeKey of ['$default', 'GET /api/v1/secrets', '__proto__', 'ANY /api/v1/tasks/{id}']) {
      const answer = await handler({ ...apiEvent('getTask'), routeKey });
      expect(answer).toMatchObject({ statusCode: 404, body: oneLine });
    }
    expect(seen).toEqual([]);
  });
});

describe('what was sent', () => {
  test('a body in base64 is text and bytes to the route', async () => {
    const { handler, seen } = setUp();
    const zipped = gzipSync('{"a":1}');
    await handler(apiEvent('submitTask', { body: Buffer.from('{"ü":1}') }));
    await handler(apiEvent('submitTask', { body: '{"ü":2}' }));
    await handler(apiEvent('submitTask', { body: zipped, headers: { 'Content-Encoding': 'gzip' } }));
    await handler(apiEvent('submitTask'));
    expect(seen.slice(0, 2).map(({ body }) => body)).toEqual(['{"ü":1}', '{"ü":2}']);
    expect(seen.map(({ rawBody }) => rawBody)).toEqual([
      Buffer.from('{"ü":1}'),
      Buffer.from('{"ü":2}'),
      zipped,
      undefined,
    ]);
    expect(seen[2]?.headers).toEqual({ 'content-encoding': 'gzip' });
    expect(seen[3]?.body).toBeUndefined();
  });

  test('query and path parameters are objects even when there are none', async () => {
    const { handler, seen } = setUp();
    await handler(apiEvent('listTasks'));
    await handler(apiEvent('getTask', { pathParameters: { id: 'a' }, query: { limit: '5' } }));
    expect(seen).toMatchObject([
      { query: {}, pathParameters: {}, headers: {} },
      { query: { limit: '5' }, pathParameters: { id: 'a' } },
    ]);
  });
});

describe('answers', () => {
  test('are JSON that nobody caches', async () => {
    const { handler } = setUp();
    expect(await handler(apiEvent('getTask'))).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
      body: '{}',
    });
  });

  test('may have headers of their own', async () => {
    const { handler } = setUp({
      ...errorReply(429, 'slow down', { 'retry-after': '3', 'cache-control': 'private' }),
    });
    expect(await handler(apiEvent('getTask'))).toEqual({
      statusCode: 429,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'private',
        'retry-after': '3',
      },
      body: '{"error":"slow down"}',
    });
  });

  test('may have no body', async () => {
    const { handler } = setUp({ status: 204 });
    expect(await handler(apiEvent('revokeKey'))).toEqual({
      statusCode: 204,
      headers: { 'cache-control': 'no-store' },
    });
  });
});

test('the unforeseen is one line to the caller, and the whole of it to the log', async () => {
  const logger = createSilentLogger();
  const handler = httpHandler(logger, () => Promise.reject(new Error('table x in /var/task')));
  const answer = await handler(apiEvent('getTask'));
  expect(answer.statusCode).toBe(500);
  expect(answer.body).not.toMatch(/table|var|at /);
  expect(logger.lines).toMatchObject([
    { code: 'http.failed', data: { error: expect.stringContaining('table x') } },
  ]);
});
