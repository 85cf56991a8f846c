import { expect, test } from '@jest/globals';
import { apiEvent } from '../adapters/test-support/api-event.ts';
import { openApiDocument } from '../core/openapi/openapi.ts';
import { createSilentLogger } from '../core/test-support/fixtures.ts';
import { createApiReferenceHandler } from './api-reference.ts';

const handler = createApiReferenceHandler({ logger: createSilentLogger() });

test('the document is served to whoever asks', async () => {
  const { statusCode, headers, body } = await handler(apiEvent('getOpenApi', { userId: null }));
  expect(statusCode).toBe(200);
  expect(headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=300',
  });
  expect(JSON.parse(body ?? '')).toEqual(openApiDocument());
});

test('the page may load nothing and run nothing, in no frame', async () => {
  const { statusCode, headers, body } = await handler(apiEvent('getReference', { userId: null }));
  expect(statusCode).toBe(200);
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'$/),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  expect(body).toMatch(/^<!doctype html>/);
});

test('another route is none of its own', async () => {
  expect(await handler(apiEvent('getTask'))).toMatchObject({ statusCode: 404 });
});
