import { expect, test } from '@jest/globals';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { routeHandler, type RouteRequest } from './route-handler.ts';

const event = (authorizer?: { principalId?: unknown }) => ({
  requestContext: { connectionId: 'c1', ...(authorizer === undefined ? {} : { authorizer }) },
  body: '{"action":"subscribe"}',
});

test.each([
  ['the principal', { principalId: 'user-7' }, 'user-7'],
  ['`local` without an authorizer', undefined, 'local'],
  ['nobody when the principal is empty', { principalId: '' }, undefined],
  ['nobody when the principal is no text', { principalId: 7 }, undefined],
  ['nobody when the principal is too long', { principalId: 'x'.repeat(129) }, undefined],
  ['nobody when the authorizer names none', {}, undefined],
])('who speaks is %s', async (_what, authorizer, userId) => {
  const seen: RouteRequest[] = [];
  const handler = routeHandler(createSilentLogger(), async (request) => {
    seen.push(request);
    return 200;
  });
  expect(await handler(event(authorizer))).toEqual({ statusCode: 200 });
  expect(seen).toEqual([{ connectionId: 'c1', userId, body: '{"action":"subscribe"}' }]);
});

test('the unforeseen is a 500 and one line that names the connection', async () => {
  const logger = createSilentLogger();
  const handler = routeHandler(logger, () => Promise.reject(new Error('no table')));
  expect(await handler(event())).toEqual({ statusCode: 500 });
  expect(logger.lines).toMatchObject([{ code: 'socket.failed', data: { connectionId: 'c1' } }]);
});
