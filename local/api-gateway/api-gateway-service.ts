import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AwsPlace, AwsService, FunctionInvoker, Log, ResourceProviders } from '../contract.ts';
import { awsLimits } from './api-model.ts';
import type { ApiModel, GatewayContext, GatewayLimits } from './api-model.ts';
import type { ApiProtocol } from './api-registry.ts';
import { serveConnections } from './connections-api.ts';
import { HttpApi } from './http-api.ts';
import { discoverJwks, JwtVerifier } from './jwt-authorizer.ts';
import type { FetchJwks } from './jwt-authorizer.ts';
import { LambdaAuthorizers } from './lambda-authorizer.ts';
import { createProviders } from './providers.ts';
import type { WebSocketConnection } from './web-socket-connection.ts';
import { WebSocketApi } from './web-socket-api.ts';

export interface ApiGatewayOptions {
  readonly place: AwsPlace;
  readonly invoker: FunctionInvoker;
  /** Port by the `Name` property of an API; an API that is not named here takes any free port. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Where a JWT issuer's public keys come from; OpenID discovery over HTTP unless given. */
  readonly fetchJwks?: FetchJwks;
  readonly log: Log;
  /** Quotas that differ from AWS's own. */
  readonly limits?: Partial<GatewayLimits>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The address of a running API. */
export interface ApiEndpoint {
  readonly apiId: string;
  readonly name: string;
  /** `http://127.0.0.1:PORT` or `ws://127.0.0.1:PORT`, without the stage. */
  readonly endpoint: string;
}

/**
 * API Gateway v2: HTTP and WebSocket APIs, each on a loopback listener of its own, and the @connections API both on
 * the listener of its API and through the front door.
 */
export class ApiGatewayService implements AwsService {
  readonly signingName = 'execute-api';
  readonly providers: ResourceProviders;
  readonly #context: GatewayContext;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #authorizers: { readonly jwt: JwtVerifier; readonly lambda: LambdaAuthorizers };
  readonly #http: HttpApi[] = [];
  readonly #webSocket: WebSocketApi[] = [];

  constructor(options: ApiGatewayOptions) {
    const { place, invoker, log, now = Date.now } = options;
    this.#context = { place, invoker, log, limits: { ...awsLimits, ...options.limits }, now, newId };
    this.#ports = new Map(Object.entries(options.ports ?? {}));
    const jwt = new JwtVerifier(options.fetchJwks ?? discoverJwks, now);
    this.#authorizers = { jwt, lambda: new LambdaAuthorizers(this.#context) };
    this.providers = createProviders(this.#context, async (protocol, model) => this.#start(protocol, model));
  }

  /** Every API that is listening, in the order of the template. */
  endpoints(): readonly ApiEndpoint[] {
    return [...this.#http, ...this.#webSocket].map(({ model, endpoint }) => {
      return { apiId: model.apiId, name: model.name, endpoint };
    });
  }

  /** The @connections API as the front door reaches it: `/@connections/{id}` or `/{stage}/@connections/{id}`. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await serveConnections(request, response, this.#find.bind(this), this.#context);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#http, ...this.#webSocket].map(async (api) => api.close()));
  }

  #find(connectionId: string, stageName: string | undefined): WebSocketConnection | undefined {
    for (const api of this.#webSocket) {
      const found = api.find(connectionId, stageName);
      if (found) return found;
    }
    return undefined;
  }

  async #start(protocol: ApiProtocol, model: ApiModel): Promise<string> {
    const port = this.#ports.get(model.name) ?? 0;
    if (protocol === 'HTTP') {
      const api = new HttpApi(model, this.#context, this.#authorizers);
      await api.listen(port);
      this.#http.push(api);
      return api.endpoint;
    }
    const api = new WebSocketApi(model, this.#context);
    await api.listen(port);
    this.#webSocket.push(api);
    return api.endpoint;
  }
}

/** 15 characters and `=`, as API Gateway's own ids: callers who forget to URL-encode one find out here. */
function newId(): string {
  return `${randomBytes(11).toString('base64url')}=`;
}
