import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayContext } from './api-model.ts';
import { discardRest, readBody } from './request-body.ts';
import { decodePath, splitTarget } from './request-text.ts';
import type { WebSocketConnection } from './web-socket-connection.ts';

/** Finds an open connection; without a stage, in any stage. */
export type ConnectionLookUp = (
  connectionId: string,
  stageName: string | undefined,
) => WebSocketConnection | undefined;

interface ConnectionsAnswer {
  readonly status: number;
  /** The exception that the SDK raises for it. */
  readonly errorType?: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

const address = /^(?:\/([^/@]+))?\/@connections\/([^/]+)$/;
const signature = /^AWS4-HMAC-SHA256 .*Credential=[^/,\s]+\/\d{8}\/[^/]+\/execute-api\/aws4_request/;
const gone: ConnectionsAnswer = { status: 410, errorType: 'GoneException' };

/**
 * The @connections API: POST a message, GET the state, DELETE the connection. Requests must look signed, so that no
 * web page can reach a connection through the loopback port; the signature itself is not checked. Never rejects.
 */
export async function serveConnections(
  request: IncomingMessage,
  response: ServerResponse,
  lookUp: ConnectionLookUp,
  context: GatewayContext,
): Promise<void> {
  try {
    send(request, response, await answer(request, lookUp, context), context);
  } catch (error) {
    context.log('apigateway.connections_failed', { error: String(error) });
    send(request, response, failure(500, 'InternalServerErrorException', 'Internal server error'), context);
  }
}

async function answer(
  request: IncomingMessage,
  lookUp: ConnectionLookUp,
  context: GatewayContext,
): Promise<ConnectionsAnswer> {
  const [, stageText, idText = ''] = address.exec(splitTarget(request.url ?? '/').path) ?? [];
  if (idText === '' || !signature.test(request.headers.authorization ?? '')) {
    return failure(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const connectionId = decodePath(idText) ?? '';
  if (!/^[\w=-]{1,128}$/.test(connectionId)) {
    return failure(400, 'BadRequestException', `Invalid connectionId: ${connectionId}`);
  }
  const connection = lookUp(connectionId, stageText === undefined ? undefined : decodePath(stageText));
  if (request.method === 'POST') return post(request, connection, context);
  if (!connection) return gone;
  if (request.method === 'GET') return { status: 200, body: describe(connection) };
  if (request.method === 'DELETE') {
    connection.end(1000, 'Connection Closed Normally');
    return { status: 204 };
  }
  return failure(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
}

async function post(
  request: IncomingMessage,
  connection: WebSocketConnection | undefined,
  { limits }: GatewayContext,
): Promise<ConnectionsAnswer> {
  const read = await readBody(request, limits.webSocketMessageBytes, limits.httpBodyTimeoutMs);
  if (read.kind === 'tooLarge') return failure(413, 'PayloadTooLargeException', 'Request Entity Too Large');
  if (read.kind !== 'complete') return failure(408, 'RequestTimeoutException', 'Request Timeout');
  const sent = connection?.send(read.body.toString('utf8')) ?? 'gone';
  if (sent === 'overflow')
    return failure(429, 'LimitExceededException', 'The client is not reading fast enough');
  return sent === 'sent' ? { status: 200 } : gone;
}

function describe({ facts, lastActiveAt }: WebSocketConnection): Readonly<Record<string, unknown>> {
  return {
    connectedAt: new Date(facts.connectedAt).toISOString(),
    identity: { sourceIp: facts.sourceIp, userAgent: facts.userAgent ?? '' },
    lastActiveAt: new Date(lastActiveAt).toISOString(),
  };
}

function failure(status: number, errorType: string, message: string): ConnectionsAnswer {
  return { status, errorType, body: { message } };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, errorType, body }: ConnectionsAnswer,
  context: GatewayContext,
): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  response.setHeader('x-amzn-requestid', context.newId());
  if (errorType !== undefined) response.setHeader('x-amzn-errortype', errorType);
  const text = body === undefined ? '' : JSON.stringify(body);
  if (text !== '') response.setHeader('content-type', 'application/json');
  response.once('finish', () => discardRest(request, context.limits.closeGraceMs));
  response.end(text);
}
