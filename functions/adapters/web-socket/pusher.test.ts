import { afterEach, expect, test } from '@jest/globals';
import type { PushMessage } from '../../../shared-types/index.ts';
import { startAwsServer, type AwsAnswer, type AwsServer } from '../test-support/aws-server.ts';
import { createPusher, managementEndpoint } from './pusher.ts';

let server: AwsServer | undefined;
afterEach(async () => {
  await server?.stop();
});

const message: PushMessage = { type: 'error', code: 'notFound', message: 'no such job: ünï 世界' };

const start = async (answer: (count: number) => AwsAnswer | 'silence') => {
  server = await startAwsServer((_request, count) => answer(count));
  const webSocketApiEndpoint = `${server.url.replace('http:', 'ws:')}/local`;
  return { pusher: createPusher({ webSocketApiEndpoint, timeoutMs: 200 }), requests: server.requests };
};

test.each([
  [
    'wss://abc.execute-api.eu-west-1.amazonaws.com/prod',
    'https://abc.execute-api.eu-west-1.amazonaws.com/prod',
  ],
  ['ws://127.0.0.1:4567/local', 'http://127.0.0.1:4567/local'],
])('%s is managed at %s', (endpoint, management) => {
  expect(managementEndpoint(endpoint)).toBe(management);
});

test('a message is posted to its connection as JSON', async () => {
  const { pusher, requests } = await start(() => ({ status: 200 }));
  expect(await pusher.send('L0SM9cOFvHcCIhw=', message)).toBe('sent');
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ method: 'POST', path: '/local/@connections/L0SM9cOFvHcCIhw%3D' });
  expect(JSON.parse(requests[0]!.body)).toEqual(message);
});

test('a connection that is closed is gone, at the first answer', async () => {
  const { pusher, requests } = await start(() => ({
    status: 410,
    headers: { 'x-amzn-errortype': 'GoneException' },
    body: '{"message":"Gone"}',
  }));
  expect(await pusher.send('a', message)).toBe('gone');
  expect(requests).toHaveLength(1);
});

test('a failure that passes is repeated', async () => {
  const { pusher, requests } = await start((count) => ({ status: count < 3 ? 500 : 200, body: '{}' }));
  expect(await pusher.send('a', message)).toBe('sent');
  expect(requests).toHaveLength(3);
});

test('an answer that does not come is not waited for: the message is sent again', async () => {
  const { pusher, requests } = await start((count) => (count === 1 ? 'silence' : { status: 200 }));
  expect(await pusher.send('a', message)).toBe('sent');
  expect(requests).toHaveLength(2);
});

test('a message that is refused rejects', async () => {
  const { pusher } = await start(() => ({
    status: 413,
    headers: { 'x-amzn-errortype': 'PayloadTooLargeException' },
    body: '{"message":"too large"}',
  }));
  await expect(pusher.send('a', message)).rejects.toMatchObject({ name: 'PayloadTooLargeException' });
});
