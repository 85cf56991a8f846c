import type { ResourceProvider, ResourceRequest } from '../contract.ts';
import type { ApiAuthorizer } from './api-model.ts';
import type { ApiProtocol, ApiRegistry } from './api-registry.ts';
import { functionArnOf } from './function-arn.ts';
import { isHttpIdentitySource } from './identity-source.ts';
import * as read from './properties.ts';
import { isWebSocketIdentitySource } from './web-socket-authorizer.ts';

const honoured = [
  'ApiId',
  'AuthorizerType',
  'AuthorizerUri',
  'AuthorizerPayloadFormatVersion',
  'AuthorizerResultTtlInSeconds',
  'EnableSimpleResponses',
  'IdentitySource',
  'JwtConfiguration',
];
// Roles decide who may call the function; on one machine everybody may.
const inert = ['Name', 'AuthorizerCredentialsArn'];

/** `AWS::ApiGatewayV2::Authorizer`: JWT (HTTP APIs) and REQUEST (a Lambda function, both kinds of API). */
export function authorizerProvider(
  registry: ApiRegistry,
  newId: (request: ResourceRequest) => string,
): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, honoured, inert);
    const { protocol, model } = registry.apiOf(request);
    const authorizerId = newId(request);
    const type = read.requiredString(request, 'AuthorizerType');
    const sources = identitySources(request, protocol);
    if (type === 'JWT') model.authorizers.set(authorizerId, jwtAuthorizer(request, protocol, sources));
    else if (type === 'REQUEST') {
      model.authorizers.set(authorizerId, lambdaAuthorizer(request, protocol, authorizerId, sources));
    } else throw read.propertyError(request, 'AuthorizerType', `is ${type}; use JWT or REQUEST`);
    return { ref: authorizerId, attributes: { AuthorizerId: authorizerId } };
  };
}

function identitySources(request: ResourceRequest, protocol: ApiProtocol): readonly string[] {
  const sources = read.stringList(request, 'IdentitySource');
  const isKnown = protocol === 'HTTP' ? isHttpIdentitySource : isWebSocketIdentitySource;
  const unknown = sources.find((source) => !isKnown(source));
  if (unknown === undefined) return sources;
  throw read.propertyError(
    request,
    'IdentitySource',
    `cannot be read from ${unknown}; use a header or query parameter`,
  );
}

function jwtAuthorizer(
  request: ResourceRequest,
  protocol: ApiProtocol,
  identity: readonly string[],
): ApiAuthorizer {
  if (protocol !== 'HTTP')
    throw read.propertyError(request, 'AuthorizerType', 'JWT works with HTTP APIs only');
  const raw = request.properties['JwtConfiguration'];
  const jwt = read.nestedObject(request, 'JwtConfiguration', raw, ['Issuer', 'Audience']) ?? {};
  const issuer = read.optionalString(request, 'JwtConfiguration.Issuer', jwt['Issuer']);
  const audiences = read.stringList(request, 'JwtConfiguration.Audience', jwt['Audience']);
  if (!issuer) throw read.propertyError(request, 'JwtConfiguration.Issuer', 'is required');
  if (audiences.length === 0) throw read.propertyError(request, 'JwtConfiguration.Audience', 'is required');
  if (identity.length === 0) throw read.propertyError(request, 'IdentitySource', 'is required');
  return { kind: 'jwt', identitySources: identity, issuer, audiences };
}

function lambdaAuthorizer(
  request: ResourceRequest,
  protocol: ApiProtocol,
  authorizerId: string,
  identity: readonly string[],
): ApiAuthorizer {
  const uri = read.requiredString(request, 'AuthorizerUri');
  const functionArn = functionArnOf(uri);
  if (functionArn === undefined)
    throw read.propertyError(request, 'AuthorizerUri', `names no function: ${uri}`);
  const version = read.optionalString(request, 'AuthorizerPayloadFormatVersion') ?? '1.0';
  if (version !== '1.0' && version !== '2.0') {
    throw read.propertyError(request, 'AuthorizerPayloadFormatVersion', `is ${version}; use 1.0 or 2.0`);
  }
  const simpleResponses = read.optionalBoolean(request, 'EnableSimpleResponses') ?? false;
  if (simpleResponses && (version !== '2.0' || protocol !== 'HTTP')) {
    throw read.propertyError(request, 'EnableSimpleResponses', 'needs an HTTP API and payload format 2.0');
  }
  const cacheSeconds = read.optionalNumber(request, 'AuthorizerResultTtlInSeconds') ?? 0;
  if (cacheSeconds < 0 || cacheSeconds > 3600) {
    throw read.propertyError(request, 'AuthorizerResultTtlInSeconds', 'must be from 0 to 3600');
  }
  const kind = 'lambda' as const;
  const payloadVersion = version;
  return {
    kind,
    authorizerId,
    identitySources: identity,
    functionArn,
    payloadVersion,
    simpleResponses,
    cacheSeconds,
  };
}
