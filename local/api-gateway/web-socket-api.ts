import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { ApiModel, ApiRoute, ApiStage, GatewayContext } from './api-model.ts';
import { serveConnections } from './connections-api.ts';
import { invokeWithin, parseJson } from './invoke.ts';
import type { InvokeOutcome } from './invoke.ts';
import { closeListener, openListener } from './listener.ts';
import { isPlainObject } from './properties.ts';
import { authorizeConnect } from './web-socket-authorizer.ts';
import { WebSocketConnection } from './web-socket-connection.ts';
import type { ConnectionFacts } from './web-socket-connection.ts';
import * as events from './web-socket-event.ts';
import { isUpgradeRequest, readConnectAnswer, refuseHandshake, stageNameOf } from './web-socket-handshake.ts';

/** A handshake on its way through `$connect`. */
interface Handshake {
  readonly incoming: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly requestId: string;
}

/** One WebSocket API on a listener of its own; the same port serves its @connections API. */
export class WebSocketApi {
  readonly model: ApiModel;
  readonly #context: GatewayContext;
  readonly #upgrader: WebSocketServer;
  readonly #open = new Map<string, WebSocketConnection>();
  readonly #handshakes = new Set<Duplex>();
  readonly #subprotocols = new WeakMap<IncomingMessage, string>();
  readonly #running = new Set<Promise<void>>();
  #server: Server | undefined;
  #port = 0;
  #closing = false;

  constructor(model: ApiModel, context: GatewayContext) {
    this.model = model;
    this.#context = context;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: context.limits.webSocketMessageBytes,
      handleProtocols: (_offered, incoming) => this.#subprotocols.get(incoming) ?? false,
    });
  }

  get endpoint(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** An open connection by id; those still in `$connect` are not open. */
  find(connectionId: string, stageName: string | undefined): WebSocketConnection | undefined {
    const found = this.#open.get(connectionId);
    if (!found?.isOpen) return undefined;
    return stageName === undefined || found.facts.stage.name === stageName ? found : undefined;
  }

  /** `port` 0 takes any free one. */
  async listen(port: number): Promise<void> {
    const lookUp = this.find.bind(this);
    const { server, port: taken } = await openListener(
      this.model.name,
      port,
      this.#context.limits,
      (request, response) => void serveConnections(request, response, lookUp, this.#context),
    );
    server.on('upgrade', (incoming, socket, head) => this.#track(this.#upgrade(incoming, socket, head)));
    this.#server = server;
    this.#port = taken;
  }

  /** Closes every connection with 1001 and lets `$disconnect` run, for as long as the grace period allows. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const socket of this.#handshakes) socket.destroy();
    for (const connection of this.#open.values()) connection.end(1001, 'Going away');
    await this.#drained();
    if (this.#server) await closeListener(this.#server);
    this.#upgrader.close();
  }

  async #drained(): Promise<void> {
    const deadline = AbortSignal.timeout(this.#context.limits.closeGraceMs * 2);
    const expired = new Promise<void>((resolve) => deadline.addEventListener('abort', () => resolve()));
    const settled = async (): Promise<void> => {
      while (!deadline.aborted && (this.#open.size > 0 || this.#running.size > 0)) {
        if (this.#running.size > 0) await Promise.allSettled(this.#running);
        else await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await Promise.race([settled(), expired]);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#context.log('apigateway.failed', { apiId: this.model.apiId, error: String(error) });
      })
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // A reset while functions still decide must not bring the process down.
    socket.on('error', () => socket.destroy());
    const handshake = { incoming, socket, head, requestId: this.#context.newId() };
    const stage = this.model.stages.get(stageNameOf(incoming) ?? '');
    if (!isUpgradeRequest(incoming)) return this.#refuse(handshake, 400, undefined);
    if (!stage || this.#closing) return this.#refuse(handshake, 403, stage);
    this.#handshakes.add(socket);
    try {
      await this.#connect(handshake, stage);
    } finally {
      this.#handshakes.delete(socket);
    }
  }

  async #connect(handshake: Handshake, stage: ApiStage): Promise<void> {
    const { incoming, requestId } = handshake;
    const route = this.model.routes.get('$connect');
    const throttle = stage.routeThrottles.get('$connect') ?? stage.defaultThrottle;
    if (throttle && !throttle.take()) return this.#refuse(handshake, 429, stage);
    const facts = this.#factsOf(incoming, stage);
    const parts = events.handshakeParts(incoming, this.#place.domainName);
    const authorized = route ? await this.#authorize(route, facts, handshake, parts) : facts;
    if (typeof authorized === 'number') return this.#refuse(handshake, authorized, stage);
    const event = events.connectEvent(this.#place, authorized, requestId, parts);
    const outcome = route?.integrationId === undefined ? undefined : await this.#invoke(route, event);
    const answer = outcome
      ? readConnectAnswer(outcome)
      : { kind: 'accepted' as const, subprotocol: undefined };
    if (answer.kind === 'refused') return this.#refuse(handshake, answer.status, stage);
    if (answer.subprotocol !== undefined) this.#subprotocols.set(incoming, answer.subprotocol);
    this.#accept(handshake, authorized);
  }

  #factsOf(incoming: IncomingMessage, stage: ApiStage): ConnectionFacts {
    return {
      connectionId: this.#context.newId(),
      stage,
      connectedAt: this.#context.now(),
      sourceIp: incoming.socket.remoteAddress ?? '127.0.0.1',
      userAgent: incoming.headers['user-agent'],
      authorizer: undefined,
    };
  }

  /** The facts with what the authorizer added, or the status of its refusal. */
  async #authorize(
    route: ApiRoute,
    facts: ConnectionFacts,
    { incoming, requestId }: Handshake,
    parts: Record<string, unknown>,
  ): Promise<ConnectionFacts | number> {
    if (route.authorizerId === undefined) return facts;
    const authorizer = this.model.authorizers.get(route.authorizerId);
    if (authorizer?.kind !== 'lambda') return 500;
    const event = events.authorizerEvent(this.#place, facts, requestId, parts);
    const arn = events.connectArn(this.#place, facts);
    const decision = await authorizeConnect(authorizer, incoming, event, arn, this.#context);
    return decision.kind === 'refuse' ? decision.status : { ...facts, authorizer: decision.authorizer };
  }

  #refuse({ incoming, socket, requestId }: Handshake, status: number, stage: ApiStage | undefined): void {
    if (stage?.logsAccess) this.#logAccess('$connect', requestId, undefined, status);
    incoming.on('error', () => socket.destroy());
    refuseHandshake(socket, status, requestId);
  }

  #accept(handshake: Handshake, facts: ConnectionFacts): void {
    const { incoming, socket, head, requestId } = handshake;
    let opened = false;
    if (!socket.destroyed) {
      this.#upgrader.handleUpgrade(incoming, socket, head, (webSocket) => {
        opened = true;
        const connection = new WebSocketConnection(facts, webSocket, this.#context.limits, this.#context.now);
        this.#open.set(facts.connectionId, connection);
        connection.start(socket, {
          message: (text) => this.#track(this.#message(connection, text)),
          closed: (code, reason) => this.#track(this.#disconnected(facts, code, reason)),
        });
        if (this.#closing) connection.end(1001, 'Going away');
      });
    }
    if (facts.stage.logsAccess) this.#logAccess('$connect', requestId, facts.connectionId, 200);
    // The client left while `$connect` ran: whoever was told of it must also be told of its end.
    if (!opened) this.#track(this.#disconnected(facts, 1006, ''));
  }

  async #disconnected(facts: ConnectionFacts, code: number, reason: string): Promise<void> {
    this.#open.delete(facts.connectionId);
    const route = this.model.routes.get('$disconnect');
    if (route?.integrationId === undefined) return;
    const outcome = await this.#invoke(route, events.disconnectEvent(this.#place, facts, code, reason));
    if (outcome.kind === 'ok') return;
    this.#context.log('apigateway.disconnect_failed', { apiId: this.model.apiId, outcome: outcome.kind });
  }

  /** Messages of one connection run side by side, as in AWS: their order is up to the functions. */
  async #message(connection: WebSocketConnection, text: string): Promise<void> {
    const { facts } = connection;
    const requestId = this.#context.newId();
    const key = events.selectedRouteKey(this.model.routeSelectionExpression, text);
    const route = this.model.routes.get(key ?? '$default') ?? this.model.routes.get('$default');
    const throttle = facts.stage.routeThrottles.get(route?.routeKey ?? '') ?? facts.stage.defaultThrottle;
    let failure: string | undefined = 'Forbidden';
    if (throttle && !throttle.take()) failure = 'Too Many Requests';
    else if (route) failure = await this.#dispatch(connection, route, requestId, text);
    if (failure !== undefined) connection.send(events.errorFrame(failure, facts.connectionId, requestId));
    if (!facts.stage.logsAccess) return;
    this.#logAccess(route?.routeKey ?? '-', requestId, facts.connectionId, failure === undefined ? 200 : 500);
  }

  /** Runs the route's function; answers the error to report to the client, if any. */
  async #dispatch(
    connection: WebSocketConnection,
    route: ApiRoute,
    requestId: string,
    text: string,
  ): Promise<string | undefined> {
    const event = events.messageEvent(this.#place, connection.facts, route.routeKey, requestId, text);
    const outcome = await this.#invoke(route, event);
    if (outcome.kind === 'timedOut') return 'Endpoint request timed out';
    const answer = outcome.kind === 'ok' ? parseJson(outcome.payload)?.value : undefined;
    if (!isPlainObject(answer) || !Number.isInteger(answer['statusCode'])) return 'Internal server error';
    if (route.twoWay && typeof answer['body'] === 'string') connection.send(answer['body']);
    return undefined;
  }

  async #invoke(route: ApiRoute, event: Record<string, unknown>): Promise<InvokeOutcome> {
    const integration = this.model.integrations.get(route.integrationId ?? '');
    if (!integration) return { kind: 'unavailable' };
    return invokeWithin(this.#context, integration.functionArn, JSON.stringify(event), integration.timeoutMs);
  }

  get #place(): events.EventPlace {
    return { model: this.model, context: this.#context, domainName: `127.0.0.1:${this.#port}` };
  }

  #logAccess(routeKey: string, requestId: string, connectionId: string | undefined, status: number): void {
    const { apiId } = this.model;
    this.#context.log('apigateway.access', {
      apiId,
      routeKey,
      requestId,
      connectionId: connectionId ?? '-',
      status,
    });
  }
}
