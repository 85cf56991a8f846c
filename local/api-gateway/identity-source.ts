import type { RoutedRequest } from './http-event.ts';
import { headerOf } from './http-event.ts';

const httpSource = /^\$(request\.header|request\.querystring|context|stageVariables)\.(.+)$/;
const contextVariables: Readonly<Record<string, (routed: RoutedRequest) => string>> = {
  routeKey: (routed) => routed.routeKey,
  stage: (routed) => routed.stage.name,
  apiId: (routed) => routed.model.apiId,
  httpMethod: (routed) => routed.request.method,
  path: (routed) => routed.request.path,
  'identity.sourceIp': (routed) => routed.request.sourceIp,
};

/** Whether an HTTP API's identity source can be read here. */
export function isHttpIdentitySource(source: string): boolean {
  const [, from, name = ''] = httpSource.exec(source) ?? [];
  return from !== undefined && (from !== 'context' || Object.hasOwn(contextVariables, name));
}

/** The value a request carries for an identity source; `undefined` when absent or empty. */
export function httpIdentity(source: string, routed: RoutedRequest): string | undefined {
  const [, from, name = ''] = httpSource.exec(source) ?? [];
  return nonEmpty(from === undefined ? undefined : read(from, name, routed));
}

function read(from: string, name: string, routed: RoutedRequest): string | undefined {
  switch (from) {
    case 'request.header':
      return headerOf(routed.request, name);
    case 'request.querystring':
      return routed.request.query.get(name)?.join(',');
    case 'context':
      return Object.hasOwn(contextVariables, name) ? contextVariables[name]?.(routed) : undefined;
    default:
      return Object.hasOwn(routed.stage.variables, name) ? routed.stage.variables[name] : undefined;
  }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
