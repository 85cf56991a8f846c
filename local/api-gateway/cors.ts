import type { CorsRules } from './api-model.ts';
import type { HttpRequest } from './http-event.ts';
import { headerOf } from './http-event.ts';
import type { HttpAnswer } from './http-response.ts';

/** A browser's question before the request itself. */
export function isPreflight(request: HttpRequest): boolean {
  if (request.method !== 'OPTIONS') return false;
  return (
    headerOf(request, 'origin') !== undefined &&
    headerOf(request, 'access-control-request-method') !== undefined
  );
}

/** The gateway answers a preflight itself: 204, without headers for an origin that is not allowed. */
export function preflightAnswer(rules: CorsRules, request: HttpRequest): HttpAnswer {
  const origin = allowedOrigin(rules, headerOf(request, 'origin'));
  if (origin === undefined) return { status: 204, headers: [], body: Buffer.alloc(0) };
  const headers: [string, string][] = [['access-control-allow-origin', origin]];
  if (rules.allowMethods.length > 0)
    headers.push(['access-control-allow-methods', rules.allowMethods.join(',')]);
  if (rules.allowHeaders.length > 0)
    headers.push(['access-control-allow-headers', rules.allowHeaders.join(',')]);
  if (rules.exposeHeaders.length > 0)
    headers.push(['access-control-expose-headers', rules.exposeHeaders.join(',')]);
  if (rules.maxAgeSeconds !== undefined)
    headers.push(['access-control-max-age', String(rules.maxAgeSeconds)]);
  if (rules.allowCredentials) headers.push(['access-control-allow-credentials', 'true']);
  return { status: 204, headers, body: Buffer.alloc(0) };
}

/** Replaces whatever CORS headers the function set: with a CORS configuration only the gateway's count. */
export function withCors(rules: CorsRules | undefined, request: HttpRequest, answer: HttpAnswer): HttpAnswer {
  if (!rules) return answer;
  const headers = answer.headers.filter(([name]) => !name.startsWith('access-control-'));
  const origin = allowedOrigin(rules, headerOf(request, 'origin'));
  if (origin === undefined) return { ...answer, headers };
  headers.push(['access-control-allow-origin', origin]);
  if (rules.exposeHeaders.length > 0)
    headers.push(['access-control-expose-headers', rules.exposeHeaders.join(',')]);
  if (rules.allowCredentials) headers.push(['access-control-allow-credentials', 'true']);
  return { ...answer, headers };
}

function allowedOrigin(rules: CorsRules, origin: string | undefined): string | undefined {
  if (origin === undefined) return undefined;
  if (rules.allowOrigins.includes('*')) return '*';
  const allowed = rules.allowOrigins.some((rule) => matchesOrigin(rule, origin));
  return allowed ? origin : undefined;
}

/** `https://*` and `http://*` mean any origin of that scheme. */
function matchesOrigin(rule: string, origin: string): boolean {
  if (rule.endsWith('://*')) return origin.toLowerCase().startsWith(rule.slice(0, -1).toLowerCase());
  return rule.toLowerCase() === origin.toLowerCase();
}
