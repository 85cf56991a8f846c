import type { ServerResponse } from 'node:http';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { parseJson } from './invoke.ts';
import type { InvokeOutcome } from './invoke.ts';
import { isPlainObject } from './properties.ts';

/** An answer ready to send; repeated names (`set-cookie`) appear as repeated pairs. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** An error in the gateway's own words, for example `{"message":"Not Found"}`. */
export function gatewayError(
  status: number,
  message: string,
  headers: readonly (readonly [string, string])[] = [],
): HttpAnswer {
  const body = Buffer.from(JSON.stringify({ message }));
  return { status, headers: [['content-type', 'application/json'], ...headers], body };
}

const broken = (): HttpAnswer => gatewayError(500, 'Internal Server Error');

/** Turns what the function answered into the response, by the rules of payload format 2.0. */
export function translateOutcome(outcome: InvokeOutcome): HttpAnswer {
  if (outcome.kind === 'ok') return translatePayload(outcome.payload);
  const busy = outcome.kind === 'timedOut' || outcome.kind === 'throttled';
  return busy ? gatewayError(503, 'Service Unavailable') : broken();
}

function translatePayload(payload: string): HttpAnswer {
  const parsed = parseJson(payload);
  if (!parsed) return broken();
  if (isPlainObject(parsed.value) && Object.hasOwn(parsed.value, 'statusCode')) {
    return structured(parsed.value) ?? broken();
  }
  const text = typeof parsed.value === 'string' ? parsed.value : payload;
  return { status: 200, headers: [['content-type', 'application/json']], body: Buffer.from(text) };
}

function structured(answer: Readonly<Record<string, unknown>>): HttpAnswer | undefined {
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = answer;
  const status = typeof statusCode === 'number' ? statusCode : Number.NaN;
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (typeof isBase64Encoded !== 'boolean' || (typeof body !== 'string' && body !== null)) return undefined;
  const pairs = headerPairs(headers ?? {}, cookies ?? []);
  if (!pairs) return undefined;
  return { status, headers: pairs, body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8') };
}

/** Set by the gateway itself, whatever the function says. */
const ownedByGateway = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
]);

function headerPairs(headers: unknown, cookies: unknown): readonly (readonly [string, string])[] | undefined {
  if (!isPlainObject(headers) || !Array.isArray(cookies)) return undefined;
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined;
    if (!ownedByGateway.has(name.toLowerCase())) pairs.push([name.toLowerCase(), String(value)]);
  }
  for (const cookie of cookies as readonly unknown[]) {
    if (typeof cookie !== 'string') return undefined;
    pairs.push(['set-cookie', cookie]);
  }
  if (!pairs.some(([name]) => name === 'content-type'))
    pairs.push(['content-type', 'text/plain;charset=UTF-8']);
  return pairs.every(([name, value]) => isLegalHeader(name, value)) ? pairs : undefined;
}

/** A line break in a value would let a function's caller write headers of its own. */
function isLegalHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Sends the answer once; does nothing when the client is gone. */
export function sendAnswer(response: ServerResponse, answer: HttpAnswer, requestId: string): void {
  if (response.headersSent || response.destroyed) return;
  const bare = answer.status === 204 || answer.status === 304;
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) {
    if (bare && name === 'content-type') continue;
    response.appendHeader(name, value);
  }
  response.setHeader('apigw-requestid', requestId);
  if (bare) {
    response.end();
    return;
  }
  response.setHeader('content-length', answer.body.length);
  response.end(response.req.method === 'HEAD' ? undefined : answer.body);
}
