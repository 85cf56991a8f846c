import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { InvokeOutcome } from './invoke.ts';
import { parseJson } from './invoke.ts';
import { isPlainObject } from './properties.ts';
import { decodePath, splitTarget } from './request-text.ts';

const keyFormat = /^[+/0-9A-Za-z]{22}==$/;

/** Whether the request can become a WebSocket at all; asked before any function runs. */
export function isUpgradeRequest(incoming: IncomingMessage): boolean {
  const version = incoming.headers['sec-websocket-version'];
  return (
    incoming.method === 'GET' &&
    incoming.headers.upgrade?.toLowerCase() === 'websocket' &&
    keyFormat.test(incoming.headers['sec-websocket-key'] ?? '') &&
    (version === '13' || version === '8')
  );
}

/** `/stage` or `/stage/`; anything below a stage is not an address of a WebSocket API. */
export function stageNameOf(incoming: IncomingMessage): string | undefined {
  const path = decodePath(splitTarget(incoming.url ?? '/').path);
  return path === undefined ? undefined : /^\/([^/]+)\/?$/.exec(path)?.[1];
}

export type ConnectAnswer =
  | { readonly kind: 'accepted'; readonly subprotocol: string | undefined }
  | { readonly kind: 'refused'; readonly status: number };

/** What `$connect`'s function decided: 2xx opens the connection, any other status is the handshake's answer. */
export function readConnectAnswer(outcome: InvokeOutcome): ConnectAnswer {
  switch (outcome.kind) {
    case 'timedOut':
      return { kind: 'refused', status: 504 };
    case 'throttled':
    case 'unavailable':
      return { kind: 'refused', status: 500 };
    case 'functionError':
      return { kind: 'refused', status: 502 };
    case 'ok':
      break;
  }
  const answer = parseJson(outcome.payload)?.value;
  const status = isPlainObject(answer) ? answer['statusCode'] : undefined;
  if (!isPlainObject(answer) || !isStatus(status)) return { kind: 'refused', status: 502 };
  if (status >= 300) return { kind: 'refused', status };
  const headers = isPlainObject(answer['headers']) ? answer['headers'] : {};
  const named = Object.entries(headers).find(
    ([name]) => name.toLowerCase() === 'sec-websocket-protocol',
  )?.[1];
  return { kind: 'accepted', subprotocol: typeof named === 'string' ? named : undefined };
}

function isStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599;
}

const refusals: Readonly<Record<number, readonly [string, string]>> = {
  401: ['UnauthorizedException', 'Unauthorized'],
  403: ['ForbiddenException', 'Forbidden'],
  500: ['InternalServerErrorException', 'Internal server error'],
  502: ['InternalServerErrorException', 'Internal server error'],
  504: ['InternalServerErrorException', 'Endpoint request timed out'],
};

/** Answers a handshake with an HTTP error and hangs up. */
export function refuseHandshake(socket: Duplex, status: number, requestId: string): void {
  const reason = STATUS_CODES[status] ?? 'Unknown';
  const [errorType, message] = refusals[status] ?? ['BadRequestException', reason];
  const body = JSON.stringify({ message, connectionId: null, requestId });
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    `x-amzn-RequestId: ${requestId}`,
    `x-amzn-ErrorType: ${errorType}`,
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
