import type { ResourceProvider, ResourceRequest } from '../contract.ts';
import type { ApiModel, GatewayLimits } from './api-model.ts';
import type { ApiProtocol, ApiRegistry } from './api-registry.ts';
import { functionArnOf } from './function-arn.ts';
import * as read from './properties.ts';
import { isHttpRouteKey } from './route-match.ts';

type NewId = (request: ResourceRequest) => string;

const routeHonoured = [
  'ApiId',
  'RouteKey',
  'Target',
  'AuthorizationType',
  'AuthorizerId',
  'AuthorizationScopes',
  'ApiKeyRequired',
  'RouteResponseSelectionExpression',
];
const integrationHonoured = [
  'ApiId',
  'IntegrationType',
  'IntegrationUri',
  'PayloadFormatVersion',
  'TimeoutInMillis',
  'ConnectionType',
];
// Proxy integrations always POST to the function and pass the event through; roles are not checked here.
const integrationInert = ['Description', 'IntegrationMethod', 'CredentialsArn', 'PassthroughBehavior'];

/** `AWS::ApiGatewayV2::Integration`: AWS_PROXY to a function, payload format 2.0 for HTTP APIs. */
export function integrationProvider(
  registry: ApiRegistry,
  limits: GatewayLimits,
  newId: NewId,
): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, integrationHonoured, integrationInert);
    const { protocol, model } = registry.apiOf(request);
    requireValue(request, 'IntegrationType', 'AWS_PROXY');
    if (request.properties['ConnectionType'] !== undefined)
      requireValue(request, 'ConnectionType', 'INTERNET');
    if (protocol === 'HTTP') requireValue(request, 'PayloadFormatVersion', '2.0');
    const uri = read.requiredString(request, 'IntegrationUri');
    const functionArn = functionArnOf(uri);
    if (functionArn === undefined)
      throw read.propertyError(request, 'IntegrationUri', `names no function: ${uri}`);
    const integrationId = newId(request);
    model.integrations.set(integrationId, { functionArn, timeoutMs: timeoutOf(request, protocol, limits) });
    return { ref: integrationId, attributes: { IntegrationId: integrationId } };
  };
}

function timeoutOf(request: ResourceRequest, protocol: ApiProtocol, limits: GatewayLimits): number {
  const longest =
    protocol === 'HTTP' ? limits.httpIntegrationTimeoutMs : limits.webSocketIntegrationTimeoutMs;
  const timeoutMs = read.optionalNumber(request, 'TimeoutInMillis') ?? longest;
  if (timeoutMs >= 50 && timeoutMs <= longest) return timeoutMs;
  throw read.propertyError(request, 'TimeoutInMillis', `must be from 50 to ${longest}`);
}

/** `AWS::ApiGatewayV2::Route`. */
export function routeProvider(registry: ApiRegistry, newId: NewId): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, routeHonoured, ['OperationName']);
    const { protocol, model } = registry.apiOf(request);
    const routeKey = routeKeyOf(request, protocol, model);
    if (read.optionalBoolean(request, 'ApiKeyRequired')) {
      throw read.propertyError(request, 'ApiKeyRequired', 'is not supported by the embedded API Gateway');
    }
    const authorizerId = authorizerOf(request, protocol, model, routeKey);
    const scopes = read.stringList(request, 'AuthorizationScopes');
    const integrationId = integrationOf(request, protocol, model, routeKey);
    const route = { routeId: newId(request), routeKey, integrationId, authorizerId, scopes, twoWay: false };
    const selectsResponse = request.properties['RouteResponseSelectionExpression'] !== undefined;
    if (selectsResponse) requireValue(request, 'RouteResponseSelectionExpression', '$default');
    model.routes.set(routeKey, route);
    registry.routes.set(route.routeId, { route, selectsResponse });
    return { ref: route.routeId, attributes: { RouteId: route.routeId } };
  };
}

function routeKeyOf(request: ResourceRequest, protocol: ApiProtocol, model: ApiModel): string {
  const routeKey = read.requiredString(request, 'RouteKey');
  const system = ['$connect', '$disconnect', '$default'].includes(routeKey);
  const legal = protocol === 'HTTP' ? isHttpRouteKey(routeKey) : system || !routeKey.startsWith('$');
  if (!legal)
    throw read.propertyError(request, 'RouteKey', `is not a route key of this kind of API: ${routeKey}`);
  if (model.routes.has(routeKey))
    throw read.propertyError(request, 'RouteKey', `exists already: ${routeKey}`);
  return routeKey;
}

function integrationOf(
  request: ResourceRequest,
  protocol: ApiProtocol,
  model: ApiModel,
  routeKey: string,
): string | undefined {
  const target = read.optionalString(request, 'Target');
  if (target === undefined) {
    if (protocol === 'WEBSOCKET' && routeKey.endsWith('connect')) return undefined;
    throw read.propertyError(
      request,
      'Target',
      'is required: a route without integration only answers errors',
    );
  }
  const integrationId = target.replace(/^integrations\//, '');
  if (model.integrations.has(integrationId)) return integrationId;
  throw read.propertyError(request, 'Target', `names no integration of this API: ${target}`);
}

function authorizerOf(
  request: ResourceRequest,
  protocol: ApiProtocol,
  model: ApiModel,
  routeKey: string,
): string | undefined {
  const type = read.optionalString(request, 'AuthorizationType') ?? 'NONE';
  if (type === 'NONE') return undefined;
  if (type !== 'JWT' && type !== 'CUSTOM') {
    throw read.propertyError(request, 'AuthorizationType', `is ${type}; use NONE, JWT or CUSTOM`);
  }
  if (protocol === 'WEBSOCKET' && routeKey !== '$connect') {
    throw read.propertyError(request, 'AuthorizationType', 'is possible on $connect only');
  }
  const authorizerId = read.requiredString(request, 'AuthorizerId');
  const kind = model.authorizers.get(authorizerId)?.kind;
  if (kind === (type === 'JWT' ? 'jwt' : 'lambda')) return authorizerId;
  throw read.propertyError(
    request,
    'AuthorizerId',
    `names no ${type} authorizer of this API: ${authorizerId}`,
  );
}

/** `AWS::ApiGatewayV2::RouteResponse`: makes a WebSocket route two-way, together with its selection expression. */
export function routeResponseProvider(registry: ApiRegistry, newId: NewId): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, ['ApiId', 'RouteId', 'RouteResponseKey'], []);
    registry.apiOf(request);
    requireValue(request, 'RouteResponseKey', '$default');
    const routeId = read.requiredString(request, 'RouteId');
    const found = registry.routes.get(routeId);
    if (!found) throw read.propertyError(request, 'RouteId', `names no route: ${routeId}`);
    found.route.twoWay = found.selectsResponse;
    const ref = newId(request);
    return { ref, attributes: { RouteResponseId: ref } };
  };
}

/** `AWS::ApiGatewayV2::IntegrationResponse`: a proxy integration passes answers through, so only `$default` is one. */
export function integrationResponseProvider(registry: ApiRegistry, newId: NewId): ResourceProvider {
  return async (request) => {
    read.refuseUnknown(request, ['ApiId', 'IntegrationId', 'IntegrationResponseKey'], []);
    const { model } = registry.apiOf(request);
    requireValue(request, 'IntegrationResponseKey', '$default');
    const integrationId = read.requiredString(request, 'IntegrationId');
    if (!model.integrations.has(integrationId)) {
      throw read.propertyError(request, 'IntegrationId', `names no integration: ${integrationId}`);
    }
    const ref = newId(request);
    return { ref, attributes: { IntegrationResponseId: ref } };
  };
}

function requireValue(request: ResourceRequest, name: string, expected: string): void {
  const actual = request.properties[name];
  if (actual === expected) return;
  throw read.propertyError(request, name, `is ${JSON.stringify(actual)}; only ${expected} is supported here`);
}
