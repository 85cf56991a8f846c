import { expect, test } from '@jest/globals';
import { apiRoutes } from '../../shared-types/api-routes.ts';
import { unknownRoute } from './unknown-route.ts';

test.each([
  ['PUT', '/api/v1/tasks', 405, /PUT is not allowed here; use POST or GET/],
  ['HEAD', '/api/v1/tasks/0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10', 405, /use GET or PATCH or DELETE/],
  ['GET', '/api/v1/tasks/x/retry', 405, /use POST/],
  ['GET', '/api/v1/tasks/', 404, /leave out the slash/],
  ['PUT', '/api/v1/tasks/', 405, /use POST or GET/],
  ['GET', '/api/v2/tasks', 404, /docs lists them/],
  ['GET', '/', 404, /docs lists them/],
  ['GET', '', 404, /docs lists them/],
  ['GET', '/api/v1/__proto__', 404, /docs lists them/],
  ['GET', '/api/v1/workflows/a/b', 404, /docs lists them/],
  ['EVIL\r\nX: y', '/api/v1/tasks', 405, /^this method is not allowed/],
] as const)('%j %s', (method, path, status, message) => {
  const answer = unknownRoute(method, path);
  expect(answer.status).toBe(status);
  expect(answer.message).toMatch(message);
  expect(answer.message).not.toMatch(/[\r\n]/);
});

test('each route of the table allows its own method at its own path', () => {
  for (const { method, path } of Object.values(apiRoutes)) {
    expect(unknownRoute('TRACE', `/api/v1${path.replace('{id}', 'x')}`).allow).toContain(method);
  }
});
