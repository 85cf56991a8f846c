import type { ResourceRequest } from '../contract.ts';
import type { ApiModel, CorsRules } from './api-model.ts';
import type { ApiProtocol } from './api-registry.ts';
import * as read from './properties.ts';
import { isBodySelection } from './web-socket-event.ts';

const honoured = [
  'Name',
  'ProtocolType',
  'CorsConfiguration',
  'RouteSelectionExpression',
  'DisableExecuteApiEndpoint',
];
const inert = [
  'Description',
  'Version',
  'Tags',
  'FailOnWarnings',
  'IpAddressType',
  'ApiKeySelectionExpression',
];
const corsKeys = [
  'AllowOrigins',
  'AllowMethods',
  'AllowHeaders',
  'ExposeHeaders',
  'AllowCredentials',
  'MaxAge',
];

/** What `AWS::ApiGatewayV2::Api` asks for, checked; the listener is the caller's business. */
export function readApi(
  request: ResourceRequest,
  apiId: string,
): { readonly protocol: ApiProtocol; readonly model: ApiModel } {
  read.refuseUnknown(request, honoured, inert);
  const protocol = read.requiredString(request, 'ProtocolType');
  if (protocol !== 'HTTP' && protocol !== 'WEBSOCKET') {
    throw read.propertyError(request, 'ProtocolType', `is ${protocol}; use HTTP or WEBSOCKET`);
  }
  if (read.optionalBoolean(request, 'DisableExecuteApiEndpoint')) {
    throw read.propertyError(
      request,
      'DisableExecuteApiEndpoint',
      'would leave no way in: there are no custom domains here',
    );
  }
  const model: ApiModel = {
    apiId,
    name: read.requiredString(request, 'Name'),
    routeSelectionExpression: selectionExpression(request, protocol),
    cors: corsRules(request, protocol),
    stages: new Map(),
    routes: new Map(),
    integrations: new Map(),
    authorizers: new Map(),
  };
  return { protocol, model };
}

function selectionExpression(request: ResourceRequest, protocol: ApiProtocol): string {
  const expression = read.optionalString(request, 'RouteSelectionExpression') ?? '';
  const httpRule = ['', '$request.method $request.path', '${request.method} ${request.path}'];
  const legal = protocol === 'HTTP' ? httpRule.includes(expression) : isBodySelection(expression);
  if (legal) return expression;
  throw read.propertyError(
    request,
    'RouteSelectionExpression',
    `is "${expression}"; use $request.body.<key>`,
  );
}

function corsRules(request: ResourceRequest, protocol: ApiProtocol): CorsRules | undefined {
  const path = 'CorsConfiguration';
  const cors = read.nestedObject(request, path, request.properties[path], corsKeys);
  if (!cors) return undefined;
  if (protocol !== 'HTTP') throw read.propertyError(request, path, 'works with HTTP APIs only');
  const list = (key: string): readonly string[] => read.stringList(request, `${path}.${key}`, cors[key]);
  const rules = {
    allowOrigins: list('AllowOrigins'),
    allowMethods: list('AllowMethods'),
    allowHeaders: list('AllowHeaders'),
    exposeHeaders: list('ExposeHeaders'),
    allowCredentials:
      read.optionalBoolean(request, `${path}.AllowCredentials`, cors['AllowCredentials']) ?? false,
    maxAgeSeconds: read.optionalNumber(request, `${path}.MaxAge`, cors['MaxAge']),
  };
  if (rules.allowCredentials && rules.allowOrigins.includes('*')) {
    throw read.propertyError(
      request,
      `${path}.AllowCredentials`,
      'cannot go with the origin *; name the origins',
    );
  }
  return rules;
}
