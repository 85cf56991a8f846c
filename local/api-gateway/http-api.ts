import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ApiAuthorizer, ApiModel, ApiRoute, ApiStage, GatewayContext } from './api-model.ts';
import { isPreflight, preflightAnswer, withCors } from './cors.ts';
import { proxyEvent, readRequest } from './http-event.ts';
import type { AuthorizerResult, HttpRequest, RoutedRequest } from './http-event.ts';
import { gatewayError, sendAnswer, translateOutcome } from './http-response.ts';
import type { HttpAnswer } from './http-response.ts';
import { invokeWithin } from './invoke.ts';
import type { AuthorizerDecision, JwtVerifier } from './jwt-authorizer.ts';
import type { LambdaAuthorizers } from './lambda-authorizer.ts';
import { closeListener, openListener } from './listener.ts';
import { discardRest, readBody } from './request-body.ts';
import { decodePath, splitTarget } from './request-text.ts';
import { requestTimeText } from './request-time.ts';
import { matchRoute } from './route-match.ts';

export interface HttpAuthorizers {
  readonly jwt: JwtVerifier;
  readonly lambda: LambdaAuthorizers;
}

/** The stage a path belongs to, and the path inside it. */
interface StagedPath {
  readonly stage: ApiStage;
  readonly resourcePath: string;
}

const bodyRefusals = {
  tooLarge: gatewayError(413, 'Request Entity Too Large'),
  tooSlow: gatewayError(408, 'Request Timeout'),
  aborted: gatewayError(400, 'Bad Request'),
};

/** One HTTP API (v2) on a listener of its own. */
export class HttpApi {
  readonly model: ApiModel;
  readonly #context: GatewayContext;
  readonly #authorizers: HttpAuthorizers;
  #server: Server | undefined;
  #port = 0;

  constructor(model: ApiModel, context: GatewayContext, authorizers: HttpAuthorizers) {
    this.model = model;
    this.#context = context;
    this.#authorizers = authorizers;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** `port` 0 takes any free one. */
  async listen(port: number): Promise<void> {
    const handler = (incoming: IncomingMessage, response: ServerResponse): void => {
      void this.#serve(incoming, response);
    };
    const opened = await openListener(this.model.name, port, this.#context.limits, handler);
    this.#server = opened.server;
    this.#port = opened.port;
  }

  async close(): Promise<void> {
    if (this.#server) await closeListener(this.#server);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodePath(splitTarget(incoming.url ?? '/').path);
    const request = readRequest(incoming, path ?? '/', `127.0.0.1:${this.#port}`, this.#context);
    const staged = path === undefined ? undefined : this.#stageOf(path);
    const tooLong = headerBytes(incoming) > this.#context.limits.httpHeaderBytes;
    let answer: HttpAnswer;
    let routeKey: string | undefined;
    try {
      if (path === undefined) answer = gatewayError(400, 'Bad Request');
      else if (tooLong) answer = gatewayError(431, 'Request Header Fields Too Large');
      else if (!staged) answer = gatewayError(404, 'Not Found');
      else ({ answer, routeKey } = await this.#route(request, staged, incoming));
    } catch (error) {
      this.#context.log('apigateway.failed', { apiId: this.model.apiId, error: String(error) });
      answer = gatewayError(500, 'Internal Server Error');
    }
    this.#finish(incoming, response, request, withoutStaleCors(this.model, request, answer));
    if (staged?.stage.logsAccess) this.#logAccess(request, routeKey, staged.stage, answer);
  }

  #stageOf(path: string): StagedPath | undefined {
    const [, first = ''] = path.split('/');
    const named = first.startsWith('$') ? undefined : this.model.stages.get(first);
    if (named) return { stage: named, resourcePath: path.slice(first.length + 1) || '/' };
    const fallback = this.model.stages.get('$default');
    return fallback && path.startsWith('/') ? { stage: fallback, resourcePath: path } : undefined;
  }

  async #route(
    request: HttpRequest,
    { stage, resourcePath }: StagedPath,
    incoming: IncomingMessage,
  ): Promise<{ answer: HttpAnswer; routeKey: string | undefined }> {
    const match = matchRoute(this.model.routes.values(), request.method, resourcePath);
    const { cors } = this.model;
    // A route that matches OPTIONS and asks for authorization is asked first, as the deployed API does.
    const answersPreflight = cors && isPreflight(request) && match?.route.authorizerId === undefined;
    if (answersPreflight) return { answer: preflightAnswer(cors, request), routeKey: undefined };
    if (!match) return { answer: gatewayError(404, 'Not Found'), routeKey: undefined };
    const { route, pathParameters } = match;
    const { routeKey } = route;
    const routed = { request, model: this.model, stage, routeKey, resourcePath, pathParameters };
    return { answer: await this.#answerRoute(route, routed, incoming), routeKey };
  }

  async #answerRoute(route: ApiRoute, routed: RoutedRequest, incoming: IncomingMessage): Promise<HttpAnswer> {
    const bucket = routed.stage.routeThrottles.get(route.routeKey) ?? routed.stage.defaultThrottle;
    if (bucket && !bucket.take()) return gatewayError(429, 'Too Many Requests');
    const decision = await this.#authorize(route, routed);
    if (decision.kind === 'refuse') return decision.answer;
    const { limits } = this.#context;
    const read = await readBody(incoming, limits.httpBodyBytes, limits.httpBodyTimeoutMs);
    if (read.kind === 'complete') return this.#invoke(route, routed, read.body, decision.authorizer);
    return bodyRefusals[read.kind];
  }

  async #authorize(
    route: ApiRoute,
    routed: RoutedRequest,
  ): Promise<AuthorizerDecision | { kind: 'allow'; authorizer: undefined }> {
    if (route.authorizerId === undefined) return { kind: 'allow', authorizer: undefined };
    const authorizer: ApiAuthorizer | undefined = this.model.authorizers.get(route.authorizerId);
    // Fail closed: a route that names an authorizer is never open.
    if (!authorizer) return { kind: 'refuse', answer: gatewayError(500, 'Internal Server Error') };
    if (authorizer.kind === 'jwt') return this.#authorizers.jwt.authorize(authorizer, route.scopes, routed);
    return this.#authorizers.lambda.authorize(authorizer, routed);
  }

  async #invoke(
    route: ApiRoute,
    routed: RoutedRequest,
    body: Buffer,
    authorizer: AuthorizerResult | undefined,
  ): Promise<HttpAnswer> {
    const integration = this.model.integrations.get(route.integrationId ?? '');
    if (!integration) return gatewayError(500, 'Internal Server Error');
    const event = proxyEvent(routed, body, authorizer, this.#context.place.accountId);
    const payload = JSON.stringify(event);
    const { functionArn, timeoutMs } = integration;
    if (Buffer.byteLength(payload) > this.#context.limits.httpEventBytes)
      return this.#eventTooLong(functionArn);
    return translateOutcome(await invokeWithin(this.#context, functionArn, payload, timeoutMs));
  }

  /**
   * Lambda refuses such an event. What an HTTP API makes of that is not documented (a REST API was seen to answer
   * 413 "Request Too Long"), so it is answered as any other invocation that failed.
   */
  #eventTooLong(functionArn: string): HttpAnswer {
    const limit = this.#context.limits.httpEventBytes;
    this.#context.log('apigateway.event_too_long', { apiId: this.model.apiId, functionArn, limit });
    return gatewayError(500, 'Internal Server Error');
  }

  #finish(
    incoming: IncomingMessage,
    response: ServerResponse,
    request: HttpRequest,
    answer: HttpAnswer,
  ): void {
    response.once('finish', () => discardRest(incoming, this.#context.limits.closeGraceMs));
    sendAnswer(response, answer, request.requestId);
  }

  #logAccess(request: HttpRequest, routeKey: string | undefined, stage: ApiStage, answer: HttpAnswer): void {
    // No query and no headers: tokens travel there.
    this.#context.log('apigateway.access', {
      apiId: this.model.apiId,
      stage: stage.name,
      requestId: request.requestId,
      routeKey: routeKey ?? '-',
      httpMethod: request.method,
      path: request.path,
      status: answer.status,
      responseLength: answer.body.length,
      ip: request.sourceIp,
      requestTime: requestTimeText(request.receivedAt),
      durationMs: this.#context.now() - request.receivedAt,
    });
  }
}

function withoutStaleCors(model: ApiModel, request: HttpRequest, answer: HttpAnswer): HttpAnswer {
  const isPreflightAnswer = model.cors !== undefined && isPreflight(request) && answer.status === 204;
  return isPreflightAnswer ? answer : withCors(model.cors, request, answer);
}

/** The quota counts the request line and header values. */
function headerBytes(incoming: IncomingMessage): number {
  const values = incoming.rawHeaders.filter((_, index) => index % 2 === 1);
  const line = `${incoming.method ?? ''} ${incoming.url ?? ''}`;
  return values.reduce((sum, value) => sum + Buffer.byteLength(value), Buffer.byteLength(line));
}
