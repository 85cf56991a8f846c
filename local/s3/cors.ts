import type { IncomingMessage, ServerResponse } from 'node:http';
import { S3Error } from './s3-error.ts';

export interface CorsRule {
  readonly AllowedHeaders: readonly string[];
  readonly AllowedMethods: readonly string[];
  readonly AllowedOrigins: readonly string[];
  readonly ExposedHeaders: readonly string[];
  readonly MaxAge?: number | undefined;
}

const VARY = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method';

/** Sets the headers of the first rule that allows this request; sets none when no rule does. */
export function applyCors(
  rules: readonly CorsRule[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  const rule = rules.find((one) => allows(one, origin, request.method ?? 'GET', []));
  if (rule) setHeaders(response, rule, origin);
}

/** Answers a preflight. Throws AccessForbidden when no rule allows what it asks for. */
export function answerPreflight(
  rules: readonly CorsRule[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { origin } = request.headers;
  const method = request.headers['access-control-request-method'];
  const asked = request.headers['access-control-request-headers'] ?? '';
  if (origin === undefined || method === undefined) {
    throw new S3Error(400, 'BadRequest', 'Insufficient information. Origin request header needed.');
  }
  const headers = asked
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const rule = rules.find((one) => allows(one, origin, method, headers));
  if (!rule) throw new S3Error(403, 'AccessForbidden', 'CORSResponse: This CORS request is not allowed.');
  setHeaders(response, rule, origin);
  if (headers.length > 0)
    response.setHeader('access-control-allow-headers', headers.join(', ').toLowerCase());
  response.writeHead(200).end();
}

function allows(rule: CorsRule, origin: string, method: string, headers: readonly string[]): boolean {
  return (
    rule.AllowedOrigins.some((allowed) => fits(allowed, origin)) &&
    rule.AllowedMethods.includes(method) &&
    headers.every((header) =>
      rule.AllowedHeaders.some((allowed) => fits(allowed.toLowerCase(), header.toLowerCase())),
    )
  );
}

/** At most one `*`, as in S3. */
function fits(allowed: string, text: string): boolean {
  const star = allowed.indexOf('*');
  if (star < 0) return allowed === text;
  const [head, tail] = [allowed.slice(0, star), allowed.slice(star + 1)];
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
}

function setHeaders(response: ServerResponse, rule: CorsRule, origin: string): void {
  const anyone = rule.AllowedOrigins.includes('*');
  response.setHeader('access-control-allow-origin', anyone ? '*' : origin);
  response.setHeader('access-control-allow-methods', rule.AllowedMethods.join(', '));
  response.setHeader('vary', VARY);
  if (!anyone) response.setHeader('access-control-allow-credentials', 'true');
  if (rule.ExposedHeaders.length > 0)
    response.setHeader('access-control-expose-headers', rule.ExposedHeaders.join(', '));
  if (rule.MaxAge !== undefined) response.setHeader('access-control-max-age', String(rule.MaxAge));
}
