import { afterEach, expect, test } from '@jest/globals';
import { functionArn, Gateway, integrationUri } from './gateway-fixture.ts';

let gateway: Gateway;
afterEach(async () => gateway.service.close());

async function http(): Promise<string> {
  gateway = new Gateway();
  return (await gateway.api('HTTP')).apiId;
}

test('an API answers its id and endpoint, the same id on every start', async () => {
  const properties = { Name: 'n', ProtocolType: 'HTTP' };
  gateway = new Gateway();
  const first = await gateway.create('Api', properties, 'Api');
  await gateway.service.close();
  gateway = new Gateway();
  const second = await gateway.create('Api', properties, 'Api');
  expect(first.ref).toMatch(/^[a-z0-9]{10}$/);
  expect(second.ref).toBe(first.ref);
  expect(second.attributes['ApiId']).toBe(first.ref);
  expect(second.attributes['ApiEndpoint']).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(gateway.service.endpoints()).toEqual([
    { apiId: first.ref, name: 'n', endpoint: second.attributes['ApiEndpoint'] },
  ]);
});

test('an API listens on the port its name was given, and says so when that is taken', async () => {
  gateway = new Gateway();
  const { endpoint } = await gateway.api('WEBSOCKET');
  expect(endpoint).toMatch(/^ws:/);
  const port = Number(new URL(endpoint).port);
  const second = new Gateway({ ports: { api: port } });
  await expect(second.api('HTTP')).rejects.toMatchObject({ code: 'PortUnavailable' });
  await gateway.service.close();
  const third = new Gateway({ ports: { api: port } });
  expect((await third.api('HTTP')).endpoint).toBe(`http://127.0.0.1:${port}`);
  await third.service.close();
});

test('both spellings of a function are understood', async () => {
  const apiId = await http();
  await gateway.stage(apiId, '$default');
  gateway.functions.on('f', () => 'ok');
  for (const [key, uri] of [
    ['GET /a', functionArn('f')],
    ['GET /b', integrationUri('f')],
  ]) {
    const properties = {
      ApiId: apiId,
      IntegrationType: 'AWS_PROXY',
      PayloadFormatVersion: '2.0',
      IntegrationUri: uri,
    };
    const { ref } = await gateway.create('Integration', properties);
    await gateway.create('Route', { ApiId: apiId, RouteKey: key, Target: `integrations/${ref}` });
  }
  const [api] = gateway.service.endpoints();
  expect((await fetch(`${api?.endpoint}/a`)).status).toBe(200);
  expect((await fetch(`${api?.endpoint}/b`)).status).toBe(200);
});

const integration = {
  IntegrationType: 'AWS_PROXY',
  IntegrationUri: integrationUri('f'),
  PayloadFormatVersion: '2.0',
};
const jwt = { AuthorizerType: 'JWT', IdentitySource: ['$request.header.A'] };
const request = { AuthorizerType: 'REQUEST', AuthorizerUri: integrationUri('f') };

test.each([
  ['Integration', 'IntegrationType', { ...integration, IntegrationType: 'HTTP_PROXY' }],
  ['Integration', 'PayloadFormatVersion', { ...integration, PayloadFormatVersion: '1.0' }],
  ['Integration', 'IntegrationUri', { ...integration, IntegrationUri: 'https://example.com' }],
  ['Integration', 'TimeoutInMillis', { ...integration, TimeoutInMillis: 31_000 }],
  ['Integration', 'RequestParameters', { ...integration, RequestParameters: {} }],
  ['Integration', 'ConnectionType', { ...integration, ConnectionType: 'VPC_LINK' }],
  ['Route', 'RouteKey', { RouteKey: 'FETCH /a', Target: 'integrations/x' }],
  ['Route', 'Target', { RouteKey: 'GET /a', Target: 'integrations/x' }],
  ['Route', 'Target', { RouteKey: 'GET /a' }],
  ['Route', 'AuthorizationType', { RouteKey: 'GET /a', AuthorizationType: 'AWS_IAM' }],
  ['Route', 'AuthorizerId', { RouteKey: 'GET /a', AuthorizationType: 'JWT', AuthorizerId: 'x' }],
  ['Route', 'ApiKeyRequired', { RouteKey: 'GET /a', ApiKeyRequired: true }],
  ['Route', 'ModelSelectionExpression', { RouteKey: 'GET /a', ModelSelectionExpression: 'x' }],
  ['Stage', 'StageName', { StageName: 'a/b' }],
  ['Stage', 'ClientCertificateId', { StageName: 'a', ClientCertificateId: 'x' }],
  ['Stage', 'DefaultRouteSettings.Cache', { StageName: 'a', DefaultRouteSettings: { Cache: 1 } }],
  ['Stage', 'StageVariables', { StageName: 'a', StageVariables: { a: 1 } }],
  ['Authorizer', 'AuthorizerType', { AuthorizerType: 'TOKEN' }],
  ['Authorizer', 'JwtConfiguration.Issuer', { ...jwt, JwtConfiguration: { Audience: ['a'] } }],
  ['Authorizer', 'JwtConfiguration.Audience', { ...jwt, JwtConfiguration: { Issuer: 'a' } }],
  ['Authorizer', 'IdentitySource', { ...request, IdentitySource: ['$request.body.x'] }],
  ['Authorizer', 'EnableSimpleResponses', { ...request, EnableSimpleResponses: true }],
  ['Authorizer', 'AuthorizerResultTtlInSeconds', { ...request, AuthorizerResultTtlInSeconds: 4000 }],
  ['Authorizer', 'AuthorizerUri', { ...request, AuthorizerUri: 'x' }],
  ['RouteResponse', 'RouteId', { RouteId: 'x', RouteResponseKey: '$default' }],
  ['IntegrationResponse', 'IntegrationResponseKey', { IntegrationId: 'x', IntegrationResponseKey: '/200/' }],
])(
  '%s with a bad %s is refused, naming the resource and the property',
  async (type, property, properties) => {
    const apiId = await http();
    const creating = gateway.create(type, { ApiId: apiId, ...properties }, 'Culprit');
    await expect(creating).rejects.toMatchObject({ code: 'UnsupportedProperty' });
    await expect(creating).rejects.toThrow(
      `Stack/Culprit (AWS::ApiGatewayV2::${type}): property ${property} `,
    );
  },
);

test.each([
  ['ProtocolType', { Name: 'a', ProtocolType: 'REST' }],
  ['Name', { ProtocolType: 'HTTP' }],
  ['Body', { Name: 'a', ProtocolType: 'HTTP', Body: {} }],
  [
    'RouteSelectionExpression',
    { Name: 'a', ProtocolType: 'WEBSOCKET', RouteSelectionExpression: '$request.header.a' },
  ],
  ['DisableExecuteApiEndpoint', { Name: 'a', ProtocolType: 'HTTP', DisableExecuteApiEndpoint: true }],
  [
    'CorsConfiguration.AllowCredentials',
    { Name: 'a', ProtocolType: 'HTTP', CorsConfiguration: { AllowOrigins: ['*'], AllowCredentials: true } },
  ],
])('an API with a bad %s is refused and opens no listener', async (property, properties) => {
  gateway = new Gateway();
  await expect(gateway.create('Api', properties)).rejects.toThrow(`property ${property} `);
  expect(gateway.service.endpoints()).toEqual([]);
});

test('custom domains are refused with a way out', async () => {
  gateway = new Gateway();
  for (const type of ['ApiMapping', 'DomainName']) {
    await expect(gateway.create(type, {}, 'Domain')).rejects.toThrow(
      /Stack\/Domain: .* use the endpoint of the API/,
    );
  }
});

test('a resource of an API that does not exist is refused', async () => {
  gateway = new Gateway();
  await expect(gateway.stage('nope', 'dev')).rejects.toThrow('property ApiId names no API');
});

test('deployments and the default responses are accepted', async () => {
  gateway = new Gateway();
  const { apiId } = await gateway.api('WEBSOCKET');
  expect((await gateway.create('Deployment', { ApiId: apiId })).ref).toMatch(/^\w{10}$/);
  const { ref } = await gateway.create('Integration', { ApiId: apiId, ...integration });
  const response = { ApiId: apiId, IntegrationId: ref, IntegrationResponseKey: '$default' };
  expect((await gateway.create('IntegrationResponse', response)).ref).toMatch(/^\w{10}$/);
});

test('authorization on a message route, and a JWT on a WebSocket API, are refused', async () => {
  gateway = new Gateway();
  const { apiId } = await gateway.api('WEBSOCKET');
  const onMessage = { ApiId: apiId, RouteKey: 'a', AuthorizationType: 'CUSTOM', AuthorizerId: 'x' };
  await expect(gateway.create('Route', onMessage)).rejects.toThrow('on $connect only');
  const onSocket = { ApiId: apiId, AuthorizerType: 'JWT', IdentitySource: ['route.request.header.A'] };
  await expect(gateway.create('Authorizer', onSocket)).rejects.toThrow('HTTP APIs only');
});
