import type { AwsPlace, FunctionInvoker, Log } from '../contract.ts';
import type { TokenBucket } from './token-bucket.ts';

/** What the template said about one API. Routes of a live API may still be added: listeners look here per request. */
export interface ApiModel {
  readonly apiId: string;
  readonly name: string;
  readonly routeSelectionExpression: string;
  readonly cors: CorsRules | undefined;
  readonly stages: Map<string, ApiStage>;
  /** By route key: `GET /a/{id}`, `$default`, `$connect`, `sendMessage`. */
  readonly routes: Map<string, ApiRoute>;
  readonly integrations: Map<string, ApiIntegration>;
  readonly authorizers: Map<string, ApiAuthorizer>;
}

export interface ApiRoute {
  readonly routeId: string;
  readonly routeKey: string;
  /** `undefined` for a WebSocket `$connect` or `$disconnect` route that only authorizes. */
  readonly integrationId: string | undefined;
  readonly authorizerId: string | undefined;
  readonly scopes: readonly string[];
  /** Two-way WebSocket route: the function's body is sent back to the client. */
  twoWay: boolean;
}

export interface ApiIntegration {
  readonly functionArn: string;
  readonly timeoutMs: number;
}

export interface ApiStage {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly defaultThrottle: TokenBucket | undefined;
  readonly routeThrottles: ReadonlyMap<string, TokenBucket>;
  readonly logsAccess: boolean;
}

export interface JwtAuthorizer {
  readonly kind: 'jwt';
  readonly identitySources: readonly string[];
  readonly issuer: string;
  readonly audiences: readonly string[];
}

export interface LambdaAuthorizer {
  readonly kind: 'lambda';
  readonly authorizerId: string;
  readonly identitySources: readonly string[];
  readonly functionArn: string;
  readonly payloadVersion: '1.0' | '2.0';
  readonly simpleResponses: boolean;
  /** 0: never cached. */
  readonly cacheSeconds: number;
}

export type ApiAuthorizer = JwtAuthorizer | LambdaAuthorizer;

export interface CorsRules {
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  readonly maxAgeSeconds: number | undefined;
}

/** Quotas of API Gateway; a test or a benchmark may tighten them. All milliseconds and bytes. */
export interface GatewayLimits {
  readonly httpBodyBytes: number;
  /** The event of one synchronous invocation, as JSON: Lambda's quota, met through the gateway. */
  readonly httpEventBytes: number;
  readonly httpBodyTimeoutMs: number;
  /** Request line and headers together. */
  readonly httpHeaderBytes: number;
  /** Longest wait for a function when the integration names no shorter one. */
  readonly httpIntegrationTimeoutMs: number;
  readonly webSocketIntegrationTimeoutMs: number;
  readonly webSocketMessageBytes: number;
  readonly webSocketFrameBytes: number;
  readonly webSocketIdleMs: number;
  readonly webSocketMaxAgeMs: number;
  /** Unsent bytes that one slow client may pile up before its senders get 429. */
  readonly webSocketBufferedBytes: number;
  /** How long a closing handshake, and the last `$disconnect` on shutdown, may take. */
  readonly closeGraceMs: number;
}

export const awsLimits: GatewayLimits = {
  httpBodyBytes: 10 * 1024 * 1024,
  httpEventBytes: 6_291_556,
  httpBodyTimeoutMs: 30_000,
  httpHeaderBytes: 10_240,
  httpIntegrationTimeoutMs: 30_000,
  webSocketIntegrationTimeoutMs: 29_000,
  webSocketMessageBytes: 128 * 1024,
  webSocketFrameBytes: 32 * 1024,
  webSocketIdleMs: 10 * 60_000,
  webSocketMaxAgeMs: 2 * 60 * 60_000,
  webSocketBufferedBytes: 1024 * 1024,
  closeGraceMs: 2_000,
};

/** What every part of the gateway works with. */
export interface GatewayContext {
  readonly place: AwsPlace;
  readonly invoker: FunctionInvoker;
  readonly log: Log;
  readonly limits: GatewayLimits;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** 15 characters and `=`, as the gateway's own ids look: a caller must URL-encode it. */
  readonly newId: () => string;
}
