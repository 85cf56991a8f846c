/** Requests in, replies out: the few things the routes need of HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from './errors.ts';
import { dumps, isJsonObject, parseJson } from './python-json.ts';
import type { JsonObject } from './python-json.ts';
import { FEATURES } from './socket-hub.ts';

export interface PodRequest {
  readonly method: string;
  /** Without query and without the optional `/api`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** @throws HttpError 413 above 100 MiB. */
  body(): Promise<Buffer>;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export function jsonReply(value: unknown, status = 200): Reply {
  return { status, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: dumps(value) };
}

export function textReply(status: number, body: string): Reply {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

export function emptyReply(status = 200): Reply {
  return { status };
}

/** @throws HttpError 500 when the body is no JSON object, as an unhandled exception gives in the real thing. */
export async function readJsonObject(request: PodRequest): Promise<JsonObject> {
  const value = parseBody(await request.body());
  if (!isJsonObject(value)) throw new HttpError(500);
  return value;
}

function parseBody(bytes: Buffer): unknown {
  try {
    return parseJson(new TextDecoder('utf8', { fatal: true }).decode(bytes));
  } catch {
    throw new HttpError(500);
  }
}

export function toPodRequest(message: IncomingMessage): PodRequest {
  const url = parseUrl(message.url ?? '/');
  return {
    method: message.method ?? 'GET',
    path: url.pathname.replace(/^\/api(?=\/)/, ''),
    query: url.searchParams,
    headers: message.headers,
    body: () => readBody(message),
  };
}

export function parseUrl(target: string): URL {
  try {
    return new URL(`http://pod${target.startsWith('/') ? target : `/${target}`}`);
  } catch {
    throw new HttpError(400);
  }
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > FEATURES.max_upload_size) throw new HttpError(413);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function sendReply(response: ServerResponse, method: string, reply: Reply): void {
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : (reply.body ?? Buffer.alloc(0));
  const bodyless = reply.status === 304;
  response.writeHead(reply.status, {
    ...reply.headers,
    ...(bodyless ? {} : { 'Content-Length': String(body.length) }),
    Server: 'demo-pod',
  });
  response.end(method === 'HEAD' || bodyless ? undefined : body);
}

const LOOPBACK = /^(127(\.\d+){3}|localhost|\[::1\])(:\d+)?$/i;

/** A page of another origin may not talk to a pod on loopback. */
export function isForeignOrigin(headers: IncomingMessage['headers']): boolean {
  const { host, origin } = headers;
  if (!host || !origin || !LOOPBACK.test(host)) return false;
  try {
    return new URL(origin).host !== host;
  } catch {
    return true;
  }
}
