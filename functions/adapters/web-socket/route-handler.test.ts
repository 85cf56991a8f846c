import { expect, test } from '@jest/globals';
import { createSilentLogger } from '../../core/test-support/fixtures.ts';
import { routeHandler, type RouteRequest } from './route-handler.ts';

const event = { requestContext: { connectionId: 'c1' }, body: '{"action":"subscribe"}' };

test('a route gets connection, body and, of a handshake, query and headers', async () => {
  const seen: RouteRequest[] = [];
  const handler = routeHandler(createSilentLogger(), async (request) => {
    seen.push(request);
    return 200;
  });
  expect(await handler(event)).toEqual({ statusCode: 200 });
  await handler({ ...event, queryStringParameters: { ticket: 't' }, headers: { Host: 'live' } });
  await handler({ requestContext: event.requestContext, queryStringParameters: null });
  const { body } = event;
  expect(seen).toEqual([
    { connectionId: 'c1', query: {}, headers: {}, body },
    { connectionId: 'c1', query: { ticket: 't' }, headers: { Host: 'live' }, body },
    { connectionId: 'c1', query: {}, headers: {}, body: undefined },
  ]);
});

test('the unforeseen is a 500 and one line that names the connection', async () => {
  const logger = createSilentLogger();
  const handler = routeHandler(logger, () => Promise.reject(new Error('no table')));
  expect(await handler(event)).toEqual({ statusCode: 500 });
  expect(logger.lines).toMatchObject([{ code: 'socket.failed', data: { connectionId: 'c1' } }]);
});
