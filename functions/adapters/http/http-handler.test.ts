import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { httpHandler, type HttpRequest } from './http-handler.ts';

const request = (overrides: Record<string, unknown> = {}): APIGatewayProxyEventV2 =>
  ({ requestContext: {}, isBase64Encoded: false, ...overrides }) as unknown as APIGatewayProxyEventV2;
const withClaims = (claims: unknown) => request({ requestContext: { authorizer: { jwt: { claims } } } });

const setUp = () => {
  const logger = createSilentLogger();
  const seen: HttpRequest[] = [];
  const handler = httpHandler(logger, async (each) => {
    seen.push(each);
    return { status: 200, body: '{}' };
  });
  return { logger, seen, handler };
};

describe('who calls', () => {
  test('is the subject of the verified token, or `local` where there is no authorizer', async () => {
    const { handler, seen } = setUp();
    await handler(withClaims({ sub: 'user-7' }));
    await handler(request());
    expect(seen.map(({ userId }) => userId)).toEqual(['user-7', 'local']);
  });

  test.each([
    ['no claims', undefined],
    ['no subject', {}],
    ['an empty subject', { sub: '' }],
    ['a subject that is no text', { sub: ['local'] }],
    ['a subject of 129 characters', { sub: 'x'.repeat(129) }],
  ])('is nobody with %s: 401, and the route is not run', async (_what, claims) => {
    const { handler, seen } = setUp();
    const answer = await handler(withClaims(claims));
    expect(answer).toMatchObject({ statusCode: 401, body: expect.stringMatching(/^\{"error":"[^"]+"\}$/) });
    expect(seen).toEqual([]);
  });
});

test('a body in base64 is text to the route', async () => {
  const { handler, seen } = setUp();
  await handler(request({ body: Buffer.from('{"ü":1}').toString('base64'), isBase64Encoded: true }));
  await handler(request({ body: '{"ü":2}', pathParameters: { id: 'a' } }));
  expect(seen).toMatchObject([
    { body: '{"ü":1}', pathParameters: {} },
    { body: '{"ü":2}', pathParameters: { id: 'a' } },
  ]);
});

test('answers are JSON that nobody caches', async () => {
  const { handler } = setUp();
  expect(await handler(request())).toEqual({
    statusCode: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: '{}',
  });
});

test('the unforeseen is one line to the caller, and the whole of it to the log', async () => {
  const logger = createSilentLogger();
  const handler = httpHandler(logger, () => Promise.reject(new Error('table x in /var/task')));
  const answer = await handler(request());
  expect(answer.statusCode).toBe(500);
  expect(answer.body).not.toMatch(/table|var|at /);
  expect(logger.lines).toMatchObject([
    { code: 'http.failed', data: { error: expect.stringContaining('table x') } },
  ]);
});
