import type { IncomingMessage } from 'node:http';
import type { ApiModel, GatewayContext } from './api-model.ts';
import { parseJson } from './invoke.ts';
import { headersByName, queryValues, splitTarget } from './request-text.ts';
import { requestTimeText } from './request-time.ts';
import type { ConnectionFacts } from './web-socket-connection.ts';

type EventType = 'CONNECT' | 'MESSAGE' | 'DISCONNECT';

/** What every event of a connection says about the API it came through. */
export interface EventPlace {
  readonly model: ApiModel;
  readonly context: GatewayContext;
  /** `127.0.0.1:PORT`. */
  readonly domainName: string;
}

/** The request parts that `$connect` and its authorizer see: headers as the client wrote them, and the query. */
export function handshakeParts(incoming: IncomingMessage, domainName: string): Record<string, unknown> {
  const headers = new Map<string, readonly string[]>();
  for (const [lower, { name, values }] of headersByName(incoming.rawHeaders)) {
    if (lower !== 'connection' && lower !== 'upgrade') headers.set(name, values);
  }
  headers.set('X-Forwarded-For', [incoming.socket.remoteAddress ?? '127.0.0.1']);
  headers.set('X-Forwarded-Port', [domainName.split(':').at(-1) ?? '80']);
  headers.set('X-Forwarded-Proto', ['http']);
  const query = queryValues(splitTarget(incoming.url ?? '/').query);
  return {
    headers: lastValues(headers),
    multiValueHeaders: Object.fromEntries(headers),
    ...(query.size > 0
      ? {
          queryStringParameters: lastValues(query),
          multiValueQueryStringParameters: Object.fromEntries(query),
        }
      : {}),
  };
}

/** Where a single value is asked for, the last one sent counts. */
function lastValues(values: ReadonlyMap<string, readonly string[]>): Record<string, string> {
  return Object.fromEntries([...values].map(([key, list]) => [key, list.at(-1) ?? ''] as const));
}

export function connectEvent(
  place: EventPlace,
  facts: ConnectionFacts,
  requestId: string,
  parts: Record<string, unknown>,
): Record<string, unknown> {
  return {
    ...parts,
    requestContext: requestContext(place, facts, 'CONNECT', '$connect', requestId),
    ...stageVariables(facts),
    isBase64Encoded: false,
  };
}

export function authorizerEvent(
  place: EventPlace,
  facts: ConnectionFacts,
  requestId: string,
  parts: Record<string, unknown>,
): Record<string, unknown> {
  return {
    type: 'REQUEST',
    methodArn: connectArn(place, facts),
    ...parts,
    stageVariables: facts.stage.variables,
    requestContext: requestContext(place, facts, 'CONNECT', '$connect', requestId),
  };
}

export function connectArn({ model, context }: EventPlace, facts: ConnectionFacts): string {
  const { region, accountId } = context.place;
  return `arn:aws:execute-api:${region}:${accountId}:${model.apiId}/${facts.stage.name}/$connect`;
}

export function messageEvent(
  place: EventPlace,
  facts: ConnectionFacts,
  routeKey: string,
  requestId: string,
  body: string,
): Record<string, unknown> {
  const extra = { messageId: place.context.newId() };
  return {
    requestContext: requestContext(place, facts, 'MESSAGE', routeKey, requestId, extra),
    ...stageVariables(facts),
    body,
    isBase64Encoded: false,
  };
}

export function disconnectEvent(
  place: EventPlace,
  facts: ConnectionFacts,
  code: number,
  reason: string,
): Record<string, unknown> {
  const headers = {
    Host: place.domainName,
    'x-api-key': '',
    'X-Forwarded-For': facts.sourceIp,
    'x-restapi': '',
  };
  const extra = { disconnectStatusCode: code, disconnectReason: reason };
  const requestId = place.context.newId();
  return {
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    requestContext: requestContext(place, facts, 'DISCONNECT', '$disconnect', requestId, extra),
    ...stageVariables(facts),
    isBase64Encoded: false,
  };
}

function requestContext(
  { model, context, domainName }: EventPlace,
  facts: ConnectionFacts,
  eventType: EventType,
  routeKey: string,
  requestId: string,
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const at = context.now();
  return {
    routeKey,
    ...(facts.authorizer ? { authorizer: facts.authorizer } : {}),
    ...extra,
    eventType,
    extendedRequestId: requestId,
    requestTime: requestTimeText(at),
    messageDirection: 'IN',
    stage: facts.stage.name,
    connectedAt: facts.connectedAt,
    requestTimeEpoch: at,
    identity: {
      ...(facts.userAgent === undefined ? {} : { userAgent: facts.userAgent }),
      sourceIp: facts.sourceIp,
    },
    requestId,
    domainName,
    connectionId: facts.connectionId,
    apiId: model.apiId,
  };
}

function stageVariables(facts: ConnectionFacts): Record<string, unknown> {
  return Object.keys(facts.stage.variables).length > 0 ? { stageVariables: facts.stage.variables } : {};
}

const selection = /^\$\{?request\.body\.([A-Za-z0-9_$-]+(?:\.[A-Za-z0-9_$-]+)*)\}?$/;

/** Whether a route selection expression reads the message body, the only place supported here. */
export function isBodySelection(expression: string): boolean {
  return selection.test(expression);
}

/**
 * The route key that a message asks for; `undefined` when it is not JSON or does not say. A client may not name a
 * `$` route: those belong to the gateway.
 */
export function selectedRouteKey(expression: string, body: string): string | undefined {
  const path = selection.exec(expression)?.[1]?.split('.') ?? [];
  let value: unknown = parseJson(body)?.value;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  return typeof text === 'string' && !text.startsWith('$') ? text : undefined;
}

/** The error frame a client gets, spaced as API Gateway writes it. */
export function errorFrame(message: string, connectionId: string, requestId: string): string {
  return `{"message": "${message}", "connectionId":"${connectionId}", "requestId":"${requestId}"}`;
}
