import { describe, expect, test } from '@jest/globals';
import type { ApiRoute } from './api-model.ts';
import { isHttpRouteKey, matchRoute } from './route-match.ts';

const routes = (...keys: string[]): ApiRoute[] =>
  keys.map((routeKey) => ({
    routeId: routeKey,
    routeKey,
    integrationId: 'i',
    authorizerId: undefined,
    scopes: [],
    twoWay: false,
  }));

const keyOf = (keys: string[], method: string, path: string): string | undefined =>
  matchRoute(routes(...keys), method, path)?.route.routeKey;

describe('route precedence', () => {
  const keys = [
    '$default',
    'ANY /{proxy+}',
    'GET /pets/{proxy+}',
    'GET /pets/dog/{id}',
    'GET /pets/dog/1',
    'ANY /pets/dog/1',
  ];

  test.each([
    ['GET', '/pets/dog/1', 'GET /pets/dog/1'],
    ['POST', '/pets/dog/1', 'ANY /pets/dog/1'],
    ['GET', '/pets/dog/2', 'GET /pets/dog/{id}'],
    ['GET', '/pets/cat/1', 'GET /pets/{proxy+}'],
    ['POST', '/pets/cat/1', 'ANY /{proxy+}'],
    ['GET', '/', '$default'],
  ])('%s %s goes to %s', (method, path, expected) => {
    expect(keyOf(keys, method, path)).toBe(expected);
  });

  test('a full match beats a greedy one whatever its literals are', () => {
    expect(keyOf(['GET /a/{proxy+}', 'GET /{x}/{y}'], 'GET', '/a/b')).toBe('GET /{x}/{y}');
  });

  test('order of declaration does not matter', () => {
    expect(keyOf(keys.toReversed(), 'GET', '/pets/dog/1')).toBe('GET /pets/dog/1');
  });
});

test('no route, a trailing slash and an empty variable match nothing', () => {
  expect(keyOf(['GET /a'], 'GET', '/a/')).toBeUndefined();
  expect(keyOf(['GET /a/{id}'], 'GET', '/a/')).toBeUndefined();
  expect(keyOf(['GET /a/{proxy+}'], 'GET', '/a')).toBeUndefined();
  expect(keyOf(['GET /a'], 'POST', '/a')).toBeUndefined();
});

test('path variables hold their values, greedy ones with slashes', () => {
  expect(matchRoute(routes('GET /a/{id}/b/{rest+}'), 'GET', '/a/1/b/x/y')?.pathParameters).toEqual({
    id: '1',
    rest: 'x/y',
  });
  expect(matchRoute(routes('GET /a'), 'GET', '/a')?.pathParameters).toBeUndefined();
});

test('a variable named __proto__ stays a plain value', () => {
  const match = matchRoute(routes('GET /{__proto__}'), 'GET', '/polluted');
  expect(Object.entries(match?.pathParameters ?? {})).toEqual([['__proto__', 'polluted']]);
});

test('only route keys that AWS accepts are legal', () => {
  expect(
    ['$default', 'GET /', 'ANY /{proxy+}', 'POST /a/{id}'].filter((key) => !isHttpRouteKey(key)),
  ).toEqual([]);
  expect(['/a', 'get /a', 'GET a', 'GET /{a+}/b', 'GET /x{a}', '$connect'].filter(isHttpRouteKey)).toEqual(
    [],
  );
});
