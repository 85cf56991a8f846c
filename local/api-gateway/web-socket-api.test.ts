import { afterEach, describe, expect, test } from '@jest/globals';
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  LimitExceededException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import type { ApiGatewayOptions } from './api-gateway-service.ts';
import { Gateway, integrationUri, RawPayload, throttled, until } from './gateway-fixture.ts';

let gateway: Gateway;
let endpoint = '';
let apiId = '';
const sockets: WebSocket[] = [];
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await gateway.service.close();
  for (const clean of cleanups.splice(0)) clean();
});

async function open(
  routes: readonly string[] = ['$connect', '$disconnect', '$default', 'echo'],
  options: Partial<ApiGatewayOptions> = {},
  stage: Record<string, unknown> = {},
): Promise<void> {
  gateway = new Gateway({ ...options, limits: { closeGraceMs: 100, ...options.limits } });
  for (const name of ['$connect', '$disconnect', '$default', 'echo']) {
    gateway.functions.on(name, () => ({ statusCode: 200 }));
  }
  ({ apiId, endpoint } = await gateway.api('WEBSOCKET'));
  await gateway.stage(apiId, 'dev', stage);
  for (const key of routes) await gateway.route(apiId, key, key);
}

async function dial(
  path = '/dev',
  options: ClientOptions = {},
  protocols: string[] = [],
): Promise<WebSocket> {
  const socket = new WebSocket(`${endpoint}${path}`, protocols, options);
  sockets.push(socket);
  await once(socket, 'open');
  return socket;
}

/** The status of a handshake that must fail. */
async function refusal(path = '/dev', options: ClientOptions = {}): Promise<number> {
  const socket = new WebSocket(`${endpoint}${path}`, options);
  sockets.push(socket);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number; resume(): void },
  ];
  response.resume();
  return response.statusCode;
}

const events = (name: string): Record<string, unknown>[] => gateway.functions.events(name);
const contextOf = (name: string, index = 0): Record<string, unknown> =>
  events(name)[index]?.['requestContext'] as Record<string, unknown>;
const text = async (socket: WebSocket): Promise<string> => String((await once(socket, 'message'))[0]);
const closing = async (socket: WebSocket): Promise<number> => (await once(socket, 'close'))[0] as number;

function management(at = `${endpoint.replace('ws:', 'http:')}/dev`): ApiGatewayManagementApiClient {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new ApiGatewayManagementApiClient({
    endpoint: at,
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
  });
  cleanups.push(() => client.destroy());
  return client;
}
const post = (ConnectionId: unknown, Data: string): PostToConnectionCommand =>
  new PostToConnectionCommand({ ConnectionId: String(ConnectionId), Data });

describe('events', () => {
  test('$connect sees headers, cookies and query as sent', async () => {
    await open();
    await dial('/dev?token=t&x=1&x=2', { headers: { Cookie: 'a=1', 'X-Thing': 'T', 'user-agent': 'test' } });
    const [event] = events('$connect');
    expect(event).toMatchObject({
      headers: { Cookie: 'a=1', 'X-Thing': 'T', 'X-Forwarded-Proto': 'http' },
      multiValueHeaders: { 'X-Thing': ['T'] },
      queryStringParameters: { token: 't', x: '2' },
      multiValueQueryStringParameters: { x: ['1', '2'] },
      isBase64Encoded: false,
    });
    expect(event).not.toHaveProperty('body');
    expect(contextOf('$connect')).toMatchObject({
      routeKey: '$connect',
      eventType: 'CONNECT',
      messageDirection: 'IN',
      stage: 'dev',
      apiId,
      domainName: endpoint.replace('ws://', ''),
      identity: { sourceIp: '127.0.0.1', userAgent: 'test' },
    });
    expect(contextOf('$connect')['connectionId']).toMatch(/^[\w-]{15}=$/);
  });

  test('a message goes to the route its body selects, anything else to $default', async () => {
    await open();
    const socket = await dial();
    const bodies = [
      '{"action":"echo"}',
      'not json',
      '{"action":"other"}',
      '{"action":"$connect"}',
      '[]',
      'null',
      '',
    ];
    for (const body of [...bodies, '{"__proto__":{"action":"echo"}}', '{"action":{"a":1}}'])
      socket.send(body);
    await until(() => gateway.functions.calls.length === 10);
    expect(events('$connect')).toHaveLength(1);
    expect(events('echo')).toHaveLength(1);
    expect(events('echo')[0]).toMatchObject({ body: '{"action":"echo"}', isBase64Encoded: false });
    expect(events('echo')[0]).not.toHaveProperty('headers');
    const context = contextOf('echo');
    expect(context).toMatchObject({ routeKey: 'echo', eventType: 'MESSAGE', stage: 'dev' });
    expect(context['connectionId']).toBe(contextOf('$connect')['connectionId']);
    expect(context['connectedAt']).toBe(contextOf('$connect')['connectedAt']);
    expect(context['messageId']).toEqual(expect.any(String));
    expect(context['requestTimeEpoch']).toEqual(expect.any(Number));
  });

  test('$disconnect comes once, with the code and reason of the client', async () => {
    await open();
    const socket = await dial();
    socket.close(4001, 'bye');
    await until(() => events('$disconnect').length > 0);
    await gateway.service.close();
    expect(events('$disconnect')).toHaveLength(1);
    expect(contextOf('$disconnect')).toMatchObject({
      eventType: 'DISCONNECT',
      routeKey: '$disconnect',
      disconnectStatusCode: 4001,
      disconnectReason: 'bye',
      connectionId: contextOf('$connect')['connectionId'],
    });
  });

  test('a lost connection is 1006, a close without code 1005', async () => {
    await open();
    (await dial()).terminate();
    await until(() => events('$disconnect').length === 1);
    (await dial()).close();
    await until(() => events('$disconnect').length === 2);
    const codes = [0, 1].map((index) => contextOf('$disconnect', index)['disconnectStatusCode']);
    expect(codes).toEqual([1006, 1005]);
  });

  test('messages of one connection run side by side, and a slow function holds up nobody', async () => {
    await open();
    let release: (() => void) | undefined;
    gateway.functions.on('echo', async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return { statusCode: 200 };
    });
    const socket = await dial();
    socket.send('{"action":"echo"}');
    socket.send('second');
    await until(() => events('$default').length === 1);
    await until(() => release !== undefined);
    release?.();
  });

  test('a thousand messages at once all arrive', async () => {
    await open();
    const socket = await dial();
    for (let index = 0; index < 1000; index += 1) socket.send(String(index));
    await until(() => events('$default').length === 1000);
    expect(new Set(events('$default').map((event) => event['body'])).size).toBe(1000);
  });
});

describe('the handshake', () => {
  test.each([
    ['401 from the function', { statusCode: 401 }, 401],
    ['403 from the function', { statusCode: 403 }, 403],
    ['500 from the function', { statusCode: 500 }, 500],
    ['an answer without statusCode', {}, 502],
    ['an answer that is not JSON', new RawPayload('{'), 502],
    ['no concurrency left', throttled, 500],
  ])('is refused on %s', async (_name, answer, status) => {
    await open();
    gateway.functions.on('$connect', () => answer);
    expect(await refusal()).toBe(status);
    expect(events('$disconnect')).toEqual([]);
  });

  test('is 502 when $connect throws, 504 when it is too slow', async () => {
    await open(['$connect'], { limits: { webSocketIntegrationTimeoutMs: 60 } });
    gateway.functions.on('$connect', async () => Promise.reject(new Error('x')));
    expect(await refusal()).toBe(502);
    gateway.functions.on('$connect', async () => new Promise(() => undefined));
    expect(await refusal()).toBe(504);
  });

  test('needs a stage and a well-formed upgrade, and no $connect route at all', async () => {
    await open([]);
    expect([
      await refusal('/'),
      await refusal('/other'),
      await refusal('/dev/x'),
      await refusal('/%zz'),
    ]).toEqual([403, 403, 403, 403]);
    const http = endpoint.replace('ws:', 'http:');
    expect((await fetch(`${http}/dev`)).status).toBe(403);
    const bad = connect(Number(new URL(http).port), '127.0.0.1');
    bad.write('GET /dev HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    expect(String((await once(bad, 'data'))[0])).toMatch(/^HTTP\/1.1 400/);
    bad.destroy();
    expect((await dial('/dev/')).readyState).toBe(WebSocket.OPEN);
  });

  test('answers with the subprotocol that $connect chose', async () => {
    await open();
    gateway.functions.on('$connect', () => ({ statusCode: 200, headers: { 'Sec-WebSocket-Protocol': 'b' } }));
    expect((await dial('/dev', {}, ['a', 'b'])).protocol).toBe('b');
  });

  test('a client that leaves during $connect is still told of to $disconnect', async () => {
    await open();
    let release: ((answer: unknown) => void) | undefined;
    gateway.functions.on('$connect', async () => new Promise((resolve) => (release = resolve)));
    const socket = new WebSocket(`${endpoint}/dev`);
    socket.on('error', () => undefined);
    await until(() => release !== undefined);
    socket.terminate();
    release?.({ statusCode: 200 });
    await until(() => events('$disconnect').length === 1);
    expect(contextOf('$disconnect')['connectionId']).toBe(contextOf('$connect')['connectionId']);
  });
});

describe('what the client is told', () => {
  const frame = (message: string): RegExp =>
    new RegExp(`^\\{"message": "${message}", "connectionId":"[\\w-]{15}=", "requestId":"[\\w-]{15}="\\}$`);

  test('Forbidden without a route, Internal server error when the function fails or answers nonsense', async () => {
    await open(['echo'], { limits: { webSocketIntegrationTimeoutMs: 60 } });
    const socket = await dial();
    socket.send('x');
    expect(await text(socket)).toMatch(frame('Forbidden'));
    for (const answer of [
      async () => Promise.reject(new Error('secret')),
      () => undefined,
      () => throttled,
    ]) {
      gateway.functions.on('echo', answer);
      socket.send('{"action":"echo"}');
      expect(await text(socket)).toMatch(frame('Internal server error'));
    }
    gateway.functions.on('echo', async () => new Promise(() => undefined));
    socket.send('{"action":"echo"}');
    expect(await text(socket)).toMatch(frame('Endpoint request timed out'));
  });

  test("a two-way route sends the function's body, a one-way route does not", async () => {
    await open(['$default']);
    const twoWay = { RouteResponseSelectionExpression: '$default' };
    const route = await gateway.route(apiId, 'ask', 'ask', twoWay);
    await gateway.create('RouteResponse', { ApiId: apiId, RouteId: route.ref, RouteResponseKey: '$default' });
    gateway.functions.on('$default', () => ({ statusCode: 200, body: 'never sent' }));
    gateway.functions.on('ask', () => ({ statusCode: 200, body: 'answer' }));
    const socket = await dial();
    socket.send('x');
    await until(() => events('$default').length === 1);
    socket.send('{"action":"ask"}');
    expect(await text(socket)).toBe('answer');
  });

  test('Too Many Requests when the stage is throttled', async () => {
    const throttle = { ThrottlingRateLimit: 0.001, ThrottlingBurstLimit: 2 };
    await open(['$default'], {}, { DefaultRouteSettings: throttle });
    const socket = await dial();
    socket.send('1');
    socket.send('2');
    expect(await text(socket)).toMatch(frame('Too Many Requests'));
    expect(await refusal()).toBe(429);
  });
});

describe('limits of a connection', () => {
  test.each([
    ['a frame of 200 KB', 200 * 1024],
    ['a frame just over 32 KB', 32 * 1024 + 1],
  ])('%s closes with 1009', async (_name, size) => {
    await open();
    const socket = await dial();
    socket.send('x'.repeat(size));
    expect(await closing(socket)).toBe(1009);
    await until(() => events('$disconnect').length === 1);
    expect(contextOf('$disconnect')['disconnectStatusCode']).toBe(1009);
    expect(events('$default')).toEqual([]);
  });

  test('128 KB in small frames pass, more does not', async () => {
    await open();
    const piece = 'x'.repeat(32 * 1024);
    const socket = await dial();
    for (let index = 0; index < 4; index += 1) socket.send(piece, { fin: index === 3 });
    await until(() => events('$default').length === 1);
    expect(String(events('$default')[0]?.['body'])).toHaveLength(128 * 1024);
    for (let index = 0; index < 5; index += 1) socket.send(piece, { fin: index === 4 });
    expect(await closing(socket)).toBe(1009);
  });

  test('a binary frame closes with 1003, broken UTF-8 with 1007', async () => {
    await open();
    const binary = await dial();
    binary.send(Buffer.from([1, 2, 3]));
    expect(await closing(binary)).toBe(1003);
    const broken = await dial();
    broken.send(Buffer.from([0xff, 0xfe]), { binary: false });
    expect(await closing(broken)).toBe(1007);
    expect(events('$default')).toEqual([]);
  });

  test('silence closes with 1001 after the idle time, age whatever happens', async () => {
    await open(undefined, { limits: { webSocketIdleMs: 40 } });
    expect(await closing(await dial())).toBe(1001);
    await gateway.service.close();
    await open(undefined, { limits: { webSocketMaxAgeMs: 60 } });
    const socket = await dial();
    const chatter = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('x'), 5);
    cleanups.push(() => clearInterval(chatter));
    expect(await closing(socket)).toBe(1001);
    await until(() => events('$disconnect').length === 1);
    expect(contextOf('$disconnect')).toMatchObject({
      disconnectStatusCode: 1001,
      disconnectReason: 'Going away',
    });
  });

  test('closing the service closes every connection and still runs $disconnect', async () => {
    await open();
    const closed = (await Promise.all([dial(), dial()])).map(closing);
    await gateway.service.close();
    expect(await Promise.all(closed)).toEqual([1001, 1001]);
    expect(events('$disconnect')).toHaveLength(2);
    await gateway.service.close();
  });
});

async function authorize(): Promise<void> {
  gateway = new Gateway({ limits: { closeGraceMs: 100 } });
  for (const name of ['$connect', '$disconnect', '$default'])
    gateway.functions.on(name, () => ({ statusCode: 200 }));
  ({ apiId, endpoint } = await gateway.api('WEBSOCKET'));
  await gateway.stage(apiId, 'dev');
  const authorizer = await gateway.create('Authorizer', {
    ApiId: apiId,
    Name: 'a',
    AuthorizerType: 'REQUEST',
    AuthorizerUri: integrationUri('auth'),
    IdentitySource: ['route.request.querystring.token'],
  });
  const guard = { AuthorizationType: 'CUSTOM', AuthorizerId: authorizer.ref };
  await gateway.route(apiId, '$connect', '$connect', guard);
  for (const key of ['$disconnect', '$default']) await gateway.route(apiId, key, key);
}
const verdict = (Effect: string, Resource: unknown, context: object = {}): object => ({
  principalId: 'ann',
  policyDocument: { Statement: [{ Action: 'execute-api:Invoke', Effect, Resource }] },
  context,
});

describe('the authorizer of $connect', () => {
  test('its context and principal are in every event of the connection', async () => {
    await authorize();
    gateway.functions.on('auth', (event) =>
      verdict('Allow', event['methodArn'], { team: 'blue', n: 1, yes: true }),
    );
    const socket = await dial('/dev?token=t');
    socket.send('x');
    await until(() => events('$default').length === 1);
    socket.close(1000);
    await until(() => events('$disconnect').length === 1);
    const authorizer = {
      team: 'blue',
      n: '1',
      yes: 'true',
      principalId: 'ann',
      integrationLatency: expect.any(Number),
    };
    for (const name of ['$connect', '$default', '$disconnect'])
      expect(contextOf(name)['authorizer']).toEqual(authorizer);
    expect(events('auth')[0]).toMatchObject({
      type: 'REQUEST',
      methodArn: `arn:aws:execute-api:eu-west-1:123456789012:${apiId}/dev/$connect`,
      queryStringParameters: { token: 't' },
      requestContext: { routeKey: '$connect', eventType: 'CONNECT', stage: 'dev' },
    });
  });

  test.each([
    ['a missing token', '/dev', () => verdict('Allow', '*'), 401],
    ['an empty token', '/dev?token=', () => verdict('Allow', '*'), 401],
    ['a deny', '/dev?token=t', () => verdict('Deny', '*'), 403],
    ['a policy for something else', '/dev?token=t', () => verdict('Allow', 'arn:other'), 403],
    ['Unauthorized thrown', '/dev?token=t', async () => Promise.reject(new Error('Unauthorized')), 401],
    ['another error', '/dev?token=t', async () => Promise.reject(new Error('x')), 500],
    ['a nested context', '/dev?token=t', () => verdict('Allow', '*', { a: { b: 1 } }), 500],
    ['nonsense', '/dev?token=t', () => ({ statusCode: 200 }), 500],
  ])('refuses on %s, before $connect runs', async (_name, path, handler, status) => {
    await authorize();
    gateway.functions.on('auth', handler);
    expect(await refusal(path)).toBe(status);
    expect(events('$connect')).toEqual([]);
    expect(events('$disconnect')).toEqual([]);
  });
});

describe('@connections through the SDK', () => {
  test('posts, describes and deletes on the listener of the API', async () => {
    await open();
    const socket = await dial('/dev', { headers: { 'user-agent': 'test' } });
    const { connectionId, connectedAt } = contextOf('$connect');
    const client = management();
    const received = text(socket);
    await client.send(post(connectionId, '{"hello":"wörld"}'));
    expect(await received).toBe('{"hello":"wörld"}');
    const found = await client.send(new GetConnectionCommand({ ConnectionId: String(connectionId) }));
    expect(found.Identity).toEqual({ SourceIp: '127.0.0.1', UserAgent: 'test' });
    expect(found.ConnectedAt?.getTime()).toBe(connectedAt);
    expect(found.LastActiveAt?.getTime()).toBeGreaterThanOrEqual(Number(connectedAt));
    const closed = closing(socket);
    await client.send(new DeleteConnectionCommand({ ConnectionId: String(connectionId) }));
    await expect(client.send(post(connectionId, 'x'))).rejects.toBeInstanceOf(GoneException);
    expect(await closed).toBe(1000);
    await until(() => events('$disconnect').length === 1);
  });

  test('works through the front door with and without the stage', async () => {
    await open();
    const door = createServer((request, response) => void gateway.service.handle(request, response));
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    cleanups.push(() => {
      door.close();
      door.closeAllConnections();
    });
    const address = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
    const socket = await dial();
    const { connectionId } = contextOf('$connect');
    for (const at of [address, `${address}/dev`]) {
      const received = text(socket);
      await management(at).send(post(connectionId, at));
      expect(await received).toBe(at);
    }
    const elsewhere = management(`${address}/prod`).send(post(connectionId, 'x'));
    await expect(elsewhere).rejects.toBeInstanceOf(GoneException);
  });

  test('an unknown, a closed and a not yet open connection are gone', async () => {
    await open();
    const client = management();
    await expect(client.send(post('AAAAAAAAAAAAAAA=', 'x'))).rejects.toBeInstanceOf(GoneException);
    const socket = await dial();
    socket.close();
    await until(() => events('$disconnect').length === 1);
    const { connectionId } = contextOf('$connect');
    await expect(client.send(post(connectionId, 'x'))).rejects.toBeInstanceOf(GoneException);
    const early: unknown[] = [];
    gateway.functions.on('$connect', async (event) => {
      const context = event['requestContext'] as Record<string, unknown>;
      await client.send(post(context['connectionId'], 'early')).catch((error: unknown) => early.push(error));
      return { statusCode: 200 };
    });
    await dial();
    expect(early).toEqual([expect.any(GoneException)]);
  });

  test('a payload over 128 KB is too large, one of 128 KB is not', async () => {
    await open();
    const socket = await dial();
    const { connectionId } = contextOf('$connect');
    const received = text(socket);
    await management().send(post(connectionId, 'x'.repeat(128 * 1024)));
    expect(await received).toHaveLength(128 * 1024);
    const tooLarge = management().send(post(connectionId, 'x'.repeat(128 * 1024 + 1)));
    await expect(tooLarge).rejects.toBeInstanceOf(PayloadTooLargeException);
  });

  test('a client that does not read gets its sender LimitExceeded, and others are not held up', async () => {
    await open(undefined, { limits: { webSocketBufferedBytes: 64 * 1024 } });
    const slow = await dial();
    const quick = await dial();
    slow.pause();
    const client = management();
    const [first, second] = [contextOf('$connect', 0), contextOf('$connect', 1)];
    const flood = async (): Promise<void> => {
      for (;;) await client.send(post(first['connectionId'], 'x'.repeat(100_000)));
    };
    await expect(flood()).rejects.toBeInstanceOf(LimitExceededException);
    const received = text(quick);
    await client.send(post(second['connectionId'], 'still here'));
    expect(await received).toBe('still here');
  });

  test('an unsigned request, such as one of a web page, is refused', async () => {
    await open();
    await dial();
    const id = encodeURIComponent(String(contextOf('$connect')['connectionId']));
    const http = endpoint.replace('ws:', 'http:');
    const response = await fetch(`${http}/dev/@connections/${id}`, { method: 'POST', body: 'x' });
    expect([response.status, await response.json()]).toEqual([
      403,
      { message: 'Missing Authentication Token' },
    ]);
  });

  test('an id that cannot be one is a bad request', async () => {
    await open();
    await expect(management().send(post('no/such id', 'x'))).rejects.toMatchObject({
      name: 'BadRequestException',
    });
  });
});
