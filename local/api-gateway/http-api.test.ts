import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Gateway, RawPayload, throttled, until } from './gateway-fixture.ts';
import type { ApiGatewayOptions } from './api-gateway-service.ts';

let gateway: Gateway;
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) clean();
  await gateway.service.close();
});

async function open(
  routes: readonly string[] = ['$default'],
  apiProperties: Record<string, unknown> = {},
  options: Partial<ApiGatewayOptions> = {},
): Promise<string> {
  gateway = new Gateway(options);
  gateway.functions.on('f', (event) => ({ statusCode: 200, body: String(event['routeKey']) }));
  const { apiId, endpoint } = await gateway.api('HTTP', apiProperties);
  await gateway.stage(apiId, '$default', { AccessLogSettings: { DestinationArn: 'arn', Format: '{}' } });
  await gateway.stage(apiId, 'dev', { StageVariables: { colour: 'blue' } });
  for (const key of routes) await gateway.route(apiId, key, 'f');
  return endpoint;
}

const lastEvent = (): Record<string, unknown> => gateway.functions.events('f').at(-1) ?? {};
const context = (): Record<string, unknown> => lastEvent()['requestContext'] as Record<string, unknown>;

/** Sends bytes as they are, for what fetch would refuse or tidy up; answers everything the server says. */
async function raw(endpoint: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(endpoint).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('the event', () => {
  test('has the shape of payload format 2.0', async () => {
    const endpoint = await open(['POST /pets/{id}']);
    await fetch(`${endpoint}/pets/a%20b?x=1&y=2&x=3`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        cookie: 'a=1; b=2',
        'X-Thing': 'T',
        'user-agent': 'test',
      },
      body: '{"n":1}',
    });
    const event = lastEvent();
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /pets/{id}',
      rawPath: '/pets/a b',
      rawQueryString: 'x=1&y=2&x=3',
      cookies: ['a=1', 'b=2'],
      queryStringParameters: { x: '1,3', y: '2' },
      pathParameters: { id: 'a b' },
      body: '{"n":1}',
      isBase64Encoded: false,
    });
    expect(event['headers']).toMatchObject({
      'x-thing': 'T',
      'content-length': '7',
      'x-forwarded-proto': 'http',
    });
    expect(event['headers']).not.toHaveProperty('cookie');
    expect(context()).toMatchObject({
      accountId: '123456789012',
      domainName: endpoint.replace('http://', ''),
      http: {
        method: 'POST',
        path: '/pets/a b',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: 'test',
      },
      routeKey: 'POST /pets/{id}',
      stage: '$default',
    });
    expect(context()['time']).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
    expect(context()).not.toHaveProperty('authorizer');
  });

  test('leaves out what the request has not', async () => {
    const endpoint = await open(['GET /a']);
    await fetch(`${endpoint}/a`);
    for (const key of ['cookies', 'queryStringParameters', 'pathParameters', 'body', 'stageVariables']) {
      expect(lastEvent()).not.toHaveProperty(key);
    }
    expect(lastEvent()).toMatchObject({ rawQueryString: '', isBase64Encoded: false });
  });

  test('keeps the stage in the path and carries its variables', async () => {
    const endpoint = await open(['GET /a']);
    expect(await (await fetch(`${endpoint}/dev/a`)).text()).toBe('GET /a');
    expect(lastEvent()).toMatchObject({ rawPath: '/dev/a', stageVariables: { colour: 'blue' } });
    expect(context()['stage']).toBe('dev');
  });

  test.each([
    ['text/plain; charset=utf-8', false],
    ['application/json', false],
    ['application/vnd.x+json', false],
    ['application/javascript', false],
    ['application/x-www-form-urlencoded', true],
    ['image/png', true],
  ])('body of type %s is base64: %s', async (type, encoded) => {
    const endpoint = await open();
    await fetch(endpoint, { method: 'POST', headers: { 'content-type': type }, body: 'hé' });
    const body = encoded ? Buffer.from('hé').toString('base64') : 'hé';
    expect(lastEvent()).toMatchObject({ body, isBase64Encoded: encoded });
  });

  test('joins duplicate headers and keeps hostile names as plain values', async () => {
    const endpoint = await open();
    const head = 'GET /?__proto__=1&__proto__=2&bad=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n';
    await raw(endpoint, `${head}X-A: 1\r\nx-a: 2\r\n__proto__: evil\r\n\r\n`);
    const headers = lastEvent()['headers'] as object;
    expect(Object.getOwnPropertyDescriptor(headers, '__proto__')?.value).toBe('evil');
    expect(headers).toMatchObject({ 'x-a': '1,2' });
    const query = lastEvent()['queryStringParameters'] as object;
    expect(Object.getOwnPropertyDescriptor(query, '__proto__')?.value).toBe('1,2');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('the answer', () => {
  test.each([
    ['an object without statusCode is JSON', { a: 1 }, 200, '{"a":1}', 'application/json'],
    ['a string is its text', 'hello', 200, 'hello', 'application/json'],
    ['nothing at all is null', undefined, 200, 'null', 'application/json'],
    [
      'a structured answer is taken as it is',
      { statusCode: 201, body: 'x' },
      201,
      'x',
      'text/plain;charset=UTF-8',
    ],
    [
      'base64 is decoded',
      { statusCode: 200, body: 'aMOp', isBase64Encoded: true, headers: { 'Content-Type': 'image/x' } },
      200,
      'hé',
      'image/x',
    ],
  ])('%s', async (_name, returned, status, body, type) => {
    const endpoint = await open();
    gateway.functions.on('f', () => returned);
    const response = await fetch(endpoint);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('apigw-requestid')).toMatch(/=$/);
  });

  test('each cookie becomes a header of its own', async () => {
    const endpoint = await open();
    gateway.functions.on('f', () => ({ statusCode: 204, cookies: ['a=1', 'b=2; Secure'] }));
    const response = await fetch(endpoint);
    expect([response.status, response.headers.getSetCookie()]).toEqual([204, ['a=1', 'b=2; Secure']]);
  });

  test.each([
    ['statusCode is text', { statusCode: 'x' }],
    ['statusCode is out of range', { statusCode: 700 }],
    ['body is an object', { statusCode: 200, body: {} }],
    ['a header is a list', { statusCode: 200, headers: { a: ['b'] } }],
    ['a header would smuggle a line', { statusCode: 200, headers: { a: 'b\r\nset-cookie: c' } }],
    ['a header name is illegal', { statusCode: 200, headers: { 'a b': 'c' } }],
    ['the payload is not JSON', new RawPayload('{oops')],
  ])('is 500 when %s', async (_name, returned) => {
    const endpoint = await open();
    gateway.functions.on('f', () => returned);
    const response = await fetch(endpoint);
    expect([response.status, await response.text()]).toEqual([500, '{"message":"Internal Server Error"}']);
  });

  test('is 500 for a function that throws or does not exist, 503 for a throttled one', async () => {
    const endpoint = await open();
    gateway.functions.on('f', () => {
      throw new Error('secret detail');
    });
    expect(await (await fetch(endpoint)).text()).toBe('{"message":"Internal Server Error"}');
    gateway.functions.on('f', () => throttled);
    expect((await fetch(endpoint)).status).toBe(503);
    const { apiId, endpoint: other } = await gateway.api('HTTP', { Name: 'other' });
    await gateway.stage(apiId, '$default');
    await gateway.route(apiId, '$default', 'missing');
    expect((await fetch(other)).status).toBe(500);
  });

  test('is 503 when the function takes too long', async () => {
    const endpoint = await open(['$default'], {}, { limits: { httpIntegrationTimeoutMs: 60 } });
    gateway.functions.on('f', async () => new Promise(() => undefined));
    const response = await fetch(endpoint);
    expect([response.status, await response.text()]).toEqual([503, '{"message":"Service Unavailable"}']);
  });

  test('has no body for HEAD', async () => {
    const endpoint = await open();
    const response = await fetch(endpoint, { method: 'HEAD' });
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['8', '']);
  });
});

test('a path without route is 404, one with a broken escape 400', async () => {
  const endpoint = await open(['GET /a']);
  const missing = await fetch(`${endpoint}/b`);
  expect([missing.status, await missing.text()]).toEqual([404, '{"message":"Not Found"}']);
  expect((await fetch(`${endpoint}/%zz`)).status).toBe(400);
  expect((await fetch(`${endpoint}/%ff`)).status).toBe(400);
  expect((await fetch(`${endpoint}/a`)).status).toBe(200);
});

test('an access line is logged without the query', async () => {
  const endpoint = await open();
  await fetch(`${endpoint}/x?token=secret`);
  const line = gateway.log.find(({ event }) => event === 'apigateway.access');
  expect(line?.data).toMatchObject({ routeKey: '$default', path: '/x', status: 200, httpMethod: 'GET' });
  expect(JSON.stringify(gateway.log)).not.toContain('secret');
});

describe('limits', () => {
  test('an announced body over the limit is 413 and never reaches the function', async () => {
    const endpoint = await open(['$default'], {}, { limits: { httpBodyBytes: 1000 } });
    const response = await fetch(endpoint, { method: 'POST', body: 'x'.repeat(1001) });
    expect([response.status, await response.text()]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    expect((await fetch(endpoint, { method: 'POST', body: 'x'.repeat(1000) })).status).toBe(200);
    expect(gateway.functions.calls).toHaveLength(1);
  });

  test('an event over the 6 MB of a synchronous invocation never reaches the function', async () => {
    const endpoint = await open();
    const post = async (body: string, type: string) =>
      fetch(endpoint, { method: 'POST', body, headers: { 'content-type': type } });
    const escaped = await post('"'.repeat(3_200_000), 'application/json');
    expect([escaped.status, await escaped.text()]).toEqual([500, '{"message":"Internal Server Error"}']);
    expect((await post('x'.repeat(4_800_000), 'application/octet-stream')).status).toBe(500);
    expect(gateway.functions.calls).toEqual([]);
    expect((await post('"'.repeat(3_100_000), 'application/json')).status).toBe(200);
  });

  test('a chunked body that never ends is 413 at the limit and then cut off', async () => {
    const endpoint = await open(['$default'], {}, { limits: { httpBodyBytes: 100_000, closeGraceMs: 30 } });
    const sending = httpRequest(endpoint, { method: 'POST' });
    const chunk = Buffer.alloc(16_384, 'x');
    const pump = setInterval(() => sending.write(chunk), 1);
    cleanups.push(() => {
      clearInterval(pump);
      sending.destroy();
    });
    const closed = new Promise((resolve) => sending.once('close', resolve));
    sending.on('error', () => undefined);
    const [response] = (await once(sending, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    await closed;
    expect(response.statusCode).toBe(413);
    expect(gateway.functions.calls).toEqual([]);
  });

  test('a body that stalls is 408 and then cut off', async () => {
    const endpoint = await open(['$default'], {}, { limits: { httpBodyTimeoutMs: 30, closeGraceMs: 30 } });
    const answer = await raw(endpoint, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    expect(answer).toContain('HTTP/1.1 408');
    expect(gateway.functions.calls).toEqual([]);
  });

  test('a client that goes away in the middle of its body leaves nothing behind', async () => {
    const endpoint = await open();
    const socket = connect(Number(new URL(endpoint).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    socket.destroy();
    await until(() => gateway.log.some(({ event }) => event === 'apigateway.access'));
    expect(gateway.functions.calls).toEqual([]);
    expect((await fetch(endpoint)).status).toBe(200);
  });

  test('headers over the quota are 431', async () => {
    const endpoint = await open();
    expect((await fetch(endpoint, { headers: { x: 'y'.repeat(11_000) } })).status).toBe(431);
    expect((await fetch(endpoint, { headers: { x: 'y'.repeat(30_000) } })).status).toBe(431);
    expect(gateway.functions.calls).toEqual([]);
  });

  test('a throttled stage answers 429 and recovers as time passes', async () => {
    let now = 1_000_000;
    gateway = new Gateway({ now: () => now });
    gateway.functions.on('f', () => 'ok');
    const { apiId, endpoint } = await gateway.api('HTTP');
    const throttle = { ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2 };
    await gateway.stage(apiId, '$default', { DefaultRouteSettings: throttle });
    await gateway.route(apiId, '$default', 'f');
    const statuses = [];
    for (let index = 0; index < 3; index += 1) statuses.push((await fetch(endpoint)).status);
    now += 1000;
    statuses.push((await fetch(endpoint)).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
  });
});

describe('CORS', () => {
  const cors = {
    AllowOrigins: ['https://a.example', 'http://*'],
    AllowMethods: ['GET', 'POST'],
    AllowHeaders: ['authorization'],
    ExposeHeaders: ['x-total'],
    AllowCredentials: true,
    MaxAge: 300,
  };
  const preflight = (origin: string): RequestInit => ({
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  });

  test('a preflight is answered without the function', async () => {
    const endpoint = await open(['$default'], { CorsConfiguration: cors });
    const response = await fetch(endpoint, preflight('https://a.example'));
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': 'https://a.example',
      'access-control-allow-methods': 'GET,POST',
      'access-control-allow-headers': 'authorization',
      'access-control-max-age': '300',
      'access-control-allow-credentials': 'true',
    });
    expect(gateway.functions.calls).toEqual([]);
  });

  test('another origin gets no permission', async () => {
    const endpoint = await open(['$default'], { CorsConfiguration: cors });
    const response = await fetch(endpoint, preflight('https://a.example.evil'));
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([204, null]);
  });

  test("the function's own CORS headers are replaced, on errors as well", async () => {
    const endpoint = await open(['GET /a'], { CorsConfiguration: cors });
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'access-control-allow-methods': 'X',
      'x-total': '1',
    };
    gateway.functions.on('f', () => ({ statusCode: 200, headers }));
    const origin = { headers: { origin: 'http://127.0.0.1:3000' } };
    const answered = await fetch(`${endpoint}/a`, origin);
    expect(answered.headers.get('access-control-allow-origin')).toBe('http://127.0.0.1:3000');
    expect(answered.headers.get('access-control-allow-methods')).toBeNull();
    expect(answered.headers.get('access-control-expose-headers')).toBe('x-total');
    const missing = await fetch(`${endpoint}/b`, origin);
    expect([missing.status, missing.headers.get('access-control-allow-origin')]).toEqual([
      404,
      'http://127.0.0.1:3000',
    ]);
  });

  test('without a configuration the function speaks for itself', async () => {
    const endpoint = await open();
    gateway.functions.on('f', () => ({ statusCode: 200, headers: { 'access-control-allow-origin': '*' } }));
    const response = await fetch(endpoint, preflight('https://a.example'));
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  });
});
