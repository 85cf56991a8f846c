import type { IncomingMessage } from 'node:http';
import type { ApiModel, ApiStage, GatewayContext } from './api-model.ts';
import { headersByName, joined, queryValues, splitTarget } from './request-text.ts';
import type { NamedValues } from './request-text.ts';
import { requestTimeText } from './request-time.ts';

/** One HTTP request, read once and then only looked at. */
export interface HttpRequest {
  readonly requestId: string;
  readonly method: string;
  /** Percent-decoded, stage included, as API Gateway hands it on. */
  readonly path: string;
  readonly rawQueryString: string;
  readonly query: ReadonlyMap<string, readonly string[]>;
  readonly headers: ReadonlyMap<string, NamedValues>;
  readonly protocol: string;
  readonly sourceIp: string;
  /** `127.0.0.1:PORT`. */
  readonly domainName: string;
  readonly receivedAt: number;
}

export interface RoutedRequest {
  readonly request: HttpRequest;
  readonly model: ApiModel;
  readonly stage: ApiStage;
  readonly routeKey: string;
  /** The path without the stage: what routes and ARNs are made of. */
  readonly resourcePath: string;
  readonly pathParameters: Readonly<Record<string, string>> | undefined;
}

/** What an authorizer adds to the event; empty for an open route. */
export type AuthorizerResult = Readonly<Record<string, unknown>>;

export function readRequest(
  incoming: IncomingMessage,
  path: string,
  domainName: string,
  context: GatewayContext,
): HttpRequest {
  const { query } = splitTarget(incoming.url ?? '/');
  return {
    requestId: context.newId(),
    method: incoming.method ?? 'GET',
    path,
    rawQueryString: query,
    query: queryValues(query),
    headers: headersByName(incoming.rawHeaders),
    protocol: `HTTP/${incoming.httpVersion}`,
    sourceIp: incoming.socket.remoteAddress ?? '127.0.0.1',
    domainName,
    receivedAt: context.now(),
  };
}

export function headerOf(request: HttpRequest, name: string): string | undefined {
  return request.headers.get(name.toLowerCase())?.values.join(',');
}

/** The part that a version 2.0 integration event and a 2.0 authorizer event share. */
export function eventBase(routed: RoutedRequest, accountId: string): Record<string, unknown> {
  const { request, stage } = routed;
  const cookies = cookiesOf(request);
  const query = joined(request.query);
  return {
    routeKey: routed.routeKey,
    rawPath: request.path,
    rawQueryString: request.rawQueryString,
    ...(cookies.length > 0 ? { cookies } : {}),
    headers: eventHeaders(request),
    ...(query ? { queryStringParameters: query } : {}),
    requestContext: requestContext(routed, accountId),
    ...(routed.pathParameters ? { pathParameters: routed.pathParameters } : {}),
    ...(Object.keys(stage.variables).length > 0 ? { stageVariables: stage.variables } : {}),
  };
}

/** The AWS_PROXY event, payload format 2.0. */
export function proxyEvent(
  routed: RoutedRequest,
  body: Buffer,
  authorizer: AuthorizerResult | undefined,
  accountId: string,
): Record<string, unknown> {
  const base = eventBase(routed, accountId);
  const isText = isTextBody(routed.request);
  return {
    version: '2.0',
    ...base,
    requestContext: { ...requestContext(routed, accountId), ...(authorizer ? { authorizer } : {}) },
    ...(body.length > 0 ? { body: body.toString(isText ? 'utf8' : 'base64') } : {}),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

function requestContext(routed: RoutedRequest, accountId: string): Record<string, unknown> {
  const { request, model, stage } = routed;
  return {
    accountId,
    apiId: model.apiId,
    domainName: request.domainName,
    domainPrefix: model.apiId,
    http: {
      method: request.method,
      path: request.path,
      protocol: request.protocol,
      sourceIp: request.sourceIp,
      userAgent: headerOf(request, 'user-agent') ?? '',
    },
    requestId: request.requestId,
    routeKey: routed.routeKey,
    stage: stage.name,
    time: requestTimeText(request.receivedAt),
    timeEpoch: request.receivedAt,
  };
}

/** Headers between the client and the gateway only; cookies travel in a field of their own. */
const notForwarded = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'cookie',
]);

/** Lower-cased, duplicates joined with commas, and what the gateway itself adds. */
export function eventHeaders(request: HttpRequest): Record<string, string> {
  const headers: [string, string][] = [];
  for (const [name, { values }] of request.headers) {
    if (!notForwarded.has(name)) headers.push([name, values.join(',')]);
  }
  const forwardedFor = headerOf(request, 'x-forwarded-for');
  headers.push(['x-forwarded-for', forwardedFor ? `${forwardedFor}, ${request.sourceIp}` : request.sourceIp]);
  headers.push(['x-forwarded-port', request.domainName.split(':').at(-1) ?? '80']);
  headers.push(['x-forwarded-proto', 'http']);
  return Object.fromEntries(headers);
}

export function cookiesOf(request: HttpRequest): readonly string[] {
  const values = request.headers.get('cookie')?.values ?? [];
  return values.flatMap((value) => value.split(/;\s*/)).filter((cookie) => cookie !== '');
}

const textTypes = /^(?:text\/.*|application\/(?:json|xml|javascript|[^;\s]+\+(?:json|xml)))$/;

/** API Gateway hands everything that it does not know to be text to the function as base64. */
function isTextBody(request: HttpRequest): boolean {
  const encoding = headerOf(request, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  const type = (headerOf(request, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return encoding === 'identity' && textTypes.test(type);
}
