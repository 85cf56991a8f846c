/** The edge of the task API: payload format 2.0 in, JSON out, and never a stack trace. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { apiRoutes, routeKeyOf, type OperationId } from '../../../shared-types/api-routes.ts';
import type { ApiScope, Logger } from '../../core/ports.ts';
import { refusalText, type RefusalReason } from '../../core/identity/identify.ts';
import { readScopes } from '../../core/identity/scopes.ts';
import { isUserId } from '../../core/identity/user-id.ts';
import { unknownRoute } from '../../core/unknown-route.ts';

export interface HttpRequest {
  /** Whom the authorizer found; empty on routes of scope `none`, which ask nobody who they are. */
  readonly userId: string;
  /** What the caller may do; that of the route is among them already. */
  readonly scopes: readonly ApiScope[];
  /** Which route of `apiRoutes` was called. */
  readonly operation: OperationId;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly pathParameters: Readonly<Record<string, string | undefined>>;
  /** The body as UTF-8 text; a content encoding is not undone. */
  readonly body: string | undefined;
  /** The body's bytes as they were sent. */
  readonly rawBody: Buffer | undefined;
}

export interface HttpReply {
  readonly status: number;
  /** JSON text, unless `headers` name another content type; without it the answer has no body. */
  readonly body?: string;
  /** By lower-case name; they take the place of ours. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type HttpHandler = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>;

type Caller =
  | { readonly kind: 'known'; readonly userId: string; readonly scopes: readonly ApiScope[] }
  | { readonly kind: 'nobody'; readonly message: string };

const operations: ReadonlyMap<string, OperationId> = new Map(
  Object.entries(apiRoutes).map(([id, route]) => [routeKeyOf(route), id as OperationId]),
);

const isReason = (value: unknown): value is RefusalReason =>
  typeof value === 'string' && Object.hasOwn(refusalText, value);

/** What `authorize-request` said. Where it did not run there is nobody: a route without it lets no one in. */
const callerOf = (event: APIGatewayProxyEventV2): Caller => {
  const context: unknown = event.requestContext;
  const said = (context as { authorizer?: { lambda?: Readonly<Record<string, unknown>> | null } | null })
    .authorizer?.lambda;
  const { userId, scopes, refusal } = said ?? {};
  if (isUserId(userId)) return { kind: 'known', userId, scopes: readScopes(scopes) };
  return { kind: 'nobody', message: refusalText[isReason(refusal) ? refusal : 'noCredentials'] };
};

const lowerCase = (headers: Readonly<Record<string, string | undefined>>): HttpRequest['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Bodies are turned into text or bytes when they are asked for: they may have megabytes. */
const requestOf = (
  event: APIGatewayProxyEventV2,
  operation: OperationId,
  { userId, scopes }: Pick<HttpRequest, 'userId' | 'scopes'>,
): HttpRequest => {
  const { body, isBase64Encoded } = event;
  const bytes = (): Buffer | undefined =>
    body === undefined ? undefined : Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  return {
    userId,
    scopes,
    operation,
    headers: lowerCase(event.headers ?? {}),
    query: event.queryStringParameters ?? {},
    pathParameters: event.pathParameters ?? {},
    get body() {
      return isBase64Encoded ? bytes()?.toString('utf8') : body;
    },
    get rawBody() {
      return bytes();
    },
  };
};

const respond = ({ status, body, headers }: HttpReply): APIGatewayProxyStructuredResultV2 => ({
  statusCode: status,
  headers: {
    ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
    'cache-control': 'no-store',
    ...headers,
  },
  ...(body !== undefined && { body }),
});

/** `{error: "…"}` of the task API. */
export const errorReply = (
  status: number,
  message: string,
  headers?: Readonly<Record<string, string>>,
): HttpReply => ({ status, body: JSON.stringify({ error: message }), ...(headers && { headers }) });

/** The route `$default`. A preflight that comes here needs no more than a good status: API Gateway adds its headers. */
const unroutedReply = ({ requestContext, rawPath }: APIGatewayProxyEventV2): HttpReply => {
  const method = requestContext.http?.method ?? '';
  if (method === 'OPTIONS') return { status: 204 };
  const { status, message, allow } = unknownRoute(method, rawPath ?? '');
  return errorReply(status, message, allow.length === 0 ? undefined : { allow: allow.join(', ') });
};

const answer = async (
  event: APIGatewayProxyEventV2,
  route: (request: HttpRequest) => Promise<HttpReply>,
): Promise<HttpReply> => {
  const operation = operations.get(event.routeKey);
  if (operation === undefined) return unroutedReply(event);
  const { scope } = apiRoutes[operation];
  if (scope === 'none') return route(requestOf(event, operation, { userId: '', scopes: [] }));
  const caller = callerOf(event);
  // RFC 9110, section 11.6.1: a 401 says how to do better.
  if (caller.kind === 'nobody') return errorReply(401, caller.message, { 'www-authenticate': 'Bearer' });
  if (caller.scopes.includes(scope)) return route(requestOf(event, operation, caller));
  return errorReply(403, `this needs the scope ${scope}, which your credentials do not have`);
};

/**
 * Wraps the routes of one function: who calls (401), what they may (403, by `apiRoutes`), what was sent, and a
 * one-line 500 for everything unforeseen.
 */
export const httpHandler =
  (logger: Logger, route: (request: HttpRequest) => Promise<HttpReply>): HttpHandler =>
  async (event) => {
    try {
      return respond(await answer(event, route));
    } catch (error) {
      logger.error('http.failed', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return respond(errorReply(500, 'something failed on our side; the request may be repeated'));
    }
  };
