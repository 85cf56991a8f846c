import type { GatewayContext, LambdaAuthorizer } from './api-model.ts';
import { eventBase, eventHeaders, headerOf } from './http-event.ts';
import type { RoutedRequest } from './http-event.ts';
import { gatewayError } from './http-response.ts';
import { evaluatePolicy } from './iam-policy.ts';
import { httpIdentity } from './identity-source.ts';
import { invokeWithin, parseJson } from './invoke.ts';
import { joined } from './request-text.ts';
import type { AuthorizerDecision } from './jwt-authorizer.ts';
import { isPlainObject } from './properties.ts';

interface CachedAnswer {
  readonly expiresAt: number;
  readonly payload: string;
}

const refuse = (status: number, message: string): AuthorizerDecision => ({
  kind: 'refuse',
  answer: gatewayError(status, message),
});
const maxCached = 1_000;

/** Asks a function whether a request to an HTTP API may pass, and remembers its answers for the configured time. */
export class LambdaAuthorizers {
  readonly #context: GatewayContext;
  readonly #cache = new Map<string, CachedAnswer>();

  constructor(context: GatewayContext) {
    this.#context = context;
  }

  async authorize(authorizer: LambdaAuthorizer, routed: RoutedRequest): Promise<AuthorizerDecision> {
    const identity = authorizer.identitySources.map((source) => httpIdentity(source, routed));
    const present = identity.filter((value) => value !== undefined);
    if (present.length < identity.length) return refuse(401, 'Unauthorized');
    const cacheKey = JSON.stringify([authorizer.authorizerId, ...present]);
    const cacheable = authorizer.cacheSeconds > 0 && present.length > 0;
    const cached = cacheable ? this.#fromCache(cacheKey) : undefined;
    if (cached !== undefined) return this.#decide(authorizer, routed, cached);
    const outcome = await this.#ask(authorizer, routed, present);
    if (outcome.kind === 'functionError' && authorizer.payloadVersion === '1.0') {
      return outcome.errorMessage === 'Unauthorized' ? refuse(401, 'Unauthorized') : failed();
    }
    if (outcome.kind !== 'ok') return failed();
    if (cacheable) this.#remember(cacheKey, outcome.payload, authorizer.cacheSeconds);
    return this.#decide(authorizer, routed, outcome.payload);
  }

  async #ask(authorizer: LambdaAuthorizer, routed: RoutedRequest, identity: readonly string[]) {
    const arn = routeArn(routed, this.#context);
    const event =
      authorizer.payloadVersion === '2.0'
        ? eventVersion2(routed, arn, identity, this.#context)
        : eventVersion1(routed, arn, identity, this.#context);
    const { limits } = this.#context;
    const text = JSON.stringify(event);
    return invokeWithin(this.#context, authorizer.functionArn, text, limits.httpIntegrationTimeoutMs);
  }

  #decide(authorizer: LambdaAuthorizer, routed: RoutedRequest, payload: string): AuthorizerDecision {
    const answer = parseJson(payload)?.value;
    if (!isPlainObject(answer)) return failed();
    const passed: AuthorizerDecision = { kind: 'allow', authorizer: { lambda: answer['context'] ?? null } };
    if (authorizer.simpleResponses) {
      if (typeof answer['isAuthorized'] !== 'boolean') return failed();
      return answer['isAuthorized'] ? passed : refuse(403, 'Forbidden');
    }
    const verdict = evaluatePolicy(answer['policyDocument'], routeArn(routed, this.#context));
    if (verdict === 'malformed' || typeof answer['principalId'] !== 'string') return failed();
    return verdict === 'allow' ? passed : refuse(403, 'Forbidden');
  }

  #fromCache(key: string): string | undefined {
    const found = this.#cache.get(key);
    if (!found) return undefined;
    if (found.expiresAt > this.#context.now()) return found.payload;
    this.#cache.delete(key);
    return undefined;
  }

  #remember(key: string, payload: string, seconds: number): void {
    const oldest = this.#cache.keys().next();
    if (this.#cache.size >= maxCached && !oldest.done) this.#cache.delete(oldest.value);
    this.#cache.set(key, { payload, expiresAt: this.#context.now() + seconds * 1000 });
  }
}

/** A broken authorizer never lets anybody in, and says so as a fault of the server. */
function failed(): AuthorizerDecision {
  return refuse(500, 'Internal Server Error');
}

function routeArn(routed: RoutedRequest, { place }: GatewayContext): string {
  const api = `arn:aws:execute-api:${place.region}:${place.accountId}:${routed.model.apiId}`;
  return `${api}/${routed.stage.name}/${routed.request.method}${routed.resourcePath}`;
}

function eventVersion2(
  routed: RoutedRequest,
  arn: string,
  identity: readonly string[],
  { place }: GatewayContext,
): Record<string, unknown> {
  const base = eventBase(routed, place.accountId);
  const sources = identity.length > 0 ? identity : null;
  return { version: '2.0', type: 'REQUEST', routeArn: arn, identitySource: sources, ...base };
}

function eventVersion1(
  routed: RoutedRequest,
  arn: string,
  identity: readonly string[],
  { place }: GatewayContext,
): Record<string, unknown> {
  const { request, stage } = routed;
  const resource = routed.routeKey.split(' ')[1] ?? routed.routeKey;
  const userAgent = headerOf(request, 'user-agent') ?? '';
  return {
    version: '1.0',
    type: 'REQUEST',
    methodArn: arn,
    identitySource: identity.join(','),
    authorizationToken: identity.join(','),
    resource,
    path: request.path,
    httpMethod: request.method,
    headers: eventHeaders(request),
    queryStringParameters: joined(request.query) ?? {},
    pathParameters: routed.pathParameters ?? {},
    stageVariables: stage.variables,
    requestContext: {
      accountId: place.accountId,
      apiId: routed.model.apiId,
      domainName: request.domainName,
      httpMethod: request.method,
      identity: { sourceIp: request.sourceIp, userAgent },
      path: request.path,
      protocol: request.protocol,
      requestId: request.requestId,
      requestTimeEpoch: request.receivedAt,
      resourcePath: resource,
      stage: stage.name,
    },
  };
}
