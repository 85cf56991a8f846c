/**
 * One HTTP request to a provider, and what its answer means. Redirects are not followed: a key would go along. The
 * deadline is over the whole exchange, and messages name no address, no header and no body unless they are asked to.
 */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type * as z from 'zod';
import type { Clock } from '../../core/ports.ts';
import type { ProviderRefusal } from '../../core/providers/worker-provider.ts';
import { systemClock } from '../system.ts';

export type ProviderTarget =
  /** `http:` or `https:`, with its query. */
  | { readonly url: string }
  /** A unix socket, and the path with its query. */
  | { readonly socketPath: string; readonly path: string };

export type ProviderHttpRequest = ProviderTarget & {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is; anything else as JSON. */
  readonly body?: unknown;
  /** Milliseconds for the whole exchange, body included; 15 s by default. */
  readonly timeoutMs?: number;
  /** For the deadline. */
  readonly clock?: Pick<Clock, 'sleep'>;
  /** Gives up when it fires. */
  readonly signal?: AbortSignal;
  /** Takes the body of a 2xx piece by piece, which is then neither kept nor bounded. */
  readonly sink?: (piece: Buffer) => void;
};

export interface ProviderHttpAnswer {
  readonly kind: 'answer';
  /** Any, a redirect included. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Body as UTF-8. */
  readonly text: string;
  readonly bytes: Buffer;
}

export type ProviderHttpResult =
  | ProviderHttpAnswer
  /** Whether the request took effect is not known. `code` is the system's, such as `ECONNREFUSED`. */
  | { readonly kind: 'failed'; readonly message: string; readonly code?: string };

const DEFAULT_TIMEOUT_MS = 15_000;
const MAX_BODY_BYTES = 10 * 1024 * 1024;

const failed = (message: string, code?: string): ProviderHttpResult => ({
  kind: 'failed',
  message,
  ...(code === undefined ? {} : { code }),
});

const codeOf = (error: unknown): string | undefined => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
};

const contentOf = (body: unknown): { payload?: string; headers: Record<string, string> } => {
  if (body === undefined) return { headers: {} };
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    payload,
    headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) },
  };
};

const open = (asked: ProviderHttpRequest, contentHeaders: Record<string, string>) => {
  const headers = {
    accept: 'application/json',
    // A compressed answer could unfold into any size.
    'accept-encoding': 'identity',
    ...contentHeaders,
    ...asked.headers,
  };
  const options = { method: asked.method, headers, agent: false as const };
  if ('socketPath' in asked) {
    return httpRequest({ ...options, socketPath: asked.socketPath, path: asked.path });
  }
  const url = new URL(asked.url);
  return (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
};

const readBody = async (
  response: IncomingMessage,
  sink?: (piece: Buffer) => void,
): Promise<ProviderHttpResult> => {
  const pieces: Buffer[] = [];
  let size = 0;
  const isGood = response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 300;
  for await (const piece of response as AsyncIterable<Buffer>) {
    if (sink !== undefined && isGood) {
      sink(piece);
      continue;
    }
    size += piece.length;
    if (size > MAX_BODY_BYTES) return failed(`the answer is longer than ${MAX_BODY_BYTES} bytes`);
    pieces.push(piece);
  }
  if (!response.complete) return failed('the answer was cut short');
  const bytes = Buffer.concat(pieces);
  const { statusCode: status = 0, headers } = response;
  return { kind: 'answer', status, headers, bytes, text: new TextDecoder().decode(bytes) };
};

const exchange = async (asked: ProviderHttpRequest, stop: AbortSignal): Promise<ProviderHttpResult> => {
  const { payload, headers } = contentOf(asked.body);
  const request = open(asked, headers);
  const destroy = (): void => void request.destroy();
  stop.addEventListener('abort', destroy);
  try {
    const response = await new Promise<IncomingMessage>((answer, refuse) => {
      request.once('response', answer);
      // Stays for the life of the request: an error after the head must not be unhandled.
      request.on('error', refuse);
      request.end(payload);
    });
    if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
      return failed('the answer is compressed');
    }
    return await readBody(response, asked.sink);
  } finally {
    stop.removeEventListener('abort', destroy);
    request.destroy();
  }
};

/** Sends one request and reads its answer, at most 10 MB. Never rejects. */
export const providerRequest = async (asked: ProviderHttpRequest): Promise<ProviderHttpResult> => {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock, signal } = asked;
  if (signal?.aborted === true) return failed('given up');
  const stop = new AbortController();
  const deadline = new AbortController();
  let reason = 'given up';
  const giveUp = (): void => stop.abort();
  signal?.addEventListener('abort', giveUp);
  const expire = (): void => {
    reason = `no answer within ${timeoutMs} ms`;
    stop.abort();
  };
  clock.sleep(timeoutMs, deadline.signal).then(expire, () => undefined);
  try {
    return await exchange(asked, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return failed(reason);
    const code = codeOf(error);
    return failed(`the connection failed (${code ?? 'no code'})`, code);
  } finally {
    deadline.abort();
    signal?.removeEventListener('abort', giveUp);
  }
};

const DEFAULT_WAIT_MS = 5000;
const MAX_WAIT_MS = 60 * 60_000;

/** `Retry-After` in milliseconds (seconds or a date, RFC 9110 section 10.2.3): 0 to 1 hour, 5 s when it does not read. */
export const retryAfterMs = (header: string | undefined, now: number = Date.now()): number => {
  if (header === undefined || header.trim() === '') return DEFAULT_WAIT_MS;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  if (!Number.isFinite(wait)) return DEFAULT_WAIT_MS;
  return Math.min(Math.max(wait, 0), MAX_WAIT_MS);
};

/**
 * What a status that is not the wanted one means: 401, 402 and 403 `unauthorized`, 429 `rateLimited`, other 4xx
 * `rejected`; all else, a redirect and a 2xx that does not read included, `unavailable`. `noCapacity` is the
 * provider's own word, so its adapter looks for it first.
 */
export const refusalOf = (
  status: number,
  retryAfterHeader: string | undefined,
  message: string,
): ProviderRefusal => {
  if (status === 401 || status === 402 || status === 403) return { kind: 'unauthorized', message };
  if (status === 429) return { kind: 'rateLimited', retryAfterMs: retryAfterMs(retryAfterHeader), message };
  const isUnknown = status < 400 || status >= 500 || status === 408 || status === 425;
  return { kind: isUnknown ? 'unavailable' : 'rejected', message };
};

const MAX_QUOTE = 300;
const MIN_SECRET_LENGTH = 6;

const spellingsOf = (secret: string): string[] => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  new URLSearchParams([['', secret]]).toString().slice(1),
];

/**
 * A provider's own words for a message: one line, cut to 300 characters, without the secrets (of 6 characters and
 * more), however they are escaped.
 */
export const quotedWithout = (text: string, secrets: readonly string[]): string => {
  const hidden = secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .flatMap(spellingsOf)
    .sort((a, b) => b.length - a.length)
    .reduce((shown, spelling) => shown.replaceAll(spelling, '***'), text);
  return hidden
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_QUOTE);
};

export type ProviderReading<T> = { readonly kind: 'read'; readonly value: T } | ProviderRefusal;

/** Reads a body as JSON of that schema; HTML, cut JSON and other shapes are `unavailable`. */
export const readProviderJson = <T>(
  { status, text }: Pick<ProviderHttpAnswer, 'status' | 'text'>,
  schema: z.ZodType<T>,
): ProviderReading<T> => {
  try {
    const read = schema.safeParse(JSON.parse(text));
    if (read.success) return { kind: 'read', value: read.data };
  } catch {
    // Said below.
  }
  return { kind: 'unavailable', message: `HTTP ${status} with an answer that does not read` };
};
