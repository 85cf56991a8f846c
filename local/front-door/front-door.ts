import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, ServerResponse as Response } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { AwsService, Log } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { CallCounter } from './call-counter.ts';
import type { CallCount, CallerCount } from './call-counter.ts';
import type { Chaos } from './chaos.ts';
import { answerError, internalFailure, throttling } from './error-answer.ts';
import { operationOfRequest, serviceOfRequest } from './service-of-request.ts';

interface FrontDoorOptions {
  readonly chaos: Chaos;
  readonly log: Log;
  /** 0 (default) takes any free port. */
  readonly port?: number;
}

/** The one endpoint of all services, on 127.0.0.1: hands each request to its service, counts it, and troubles some. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #services = new Map<string, AwsService>();
  readonly #counter = new CallCounter();
  readonly #server: Server;
  #endpoint: string | undefined;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    // A call may wait long for messages or a function. Idle connections are kept longer than clients keep them, so that
    // none is closed in the moment it is used again.
    const timeouts = { requestTimeout: 0, keepAliveTimeout: 120_000 };
    this.#server = createServer(timeouts, (request, response) => void this.#serve(request, response));
  }

  /** The URL for `AWS_ENDPOINT_URL`. Throws before `listen`. */
  get endpoint(): string {
    if (this.#endpoint !== undefined) return this.#endpoint;
    throw new EmbeddedAwsError('NotStarted', 'The embedded AWS has no endpoint before it listens');
  }

  add(service: AwsService): void {
    this.#services.set(service.signingName, service);
  }

  /** Rejects with `EmbeddedAwsError` when the port is taken. */
  async listen(): Promise<void> {
    const { port = 0 } = this.#options;
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening').catch((cause: unknown) => {
      const problem = `Cannot listen on 127.0.0.1:${port}: ${String(cause)}; choose another port`;
      throw new EmbeddedAwsError('PortUnavailable', problem, { cause });
    });
    const address = this.#server.address();
    this.#endpoint = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : port}`;
  }

  /** Every call since the last reset. */
  calls(): readonly CallCount[] {
    return this.#counter.snapshot();
  }

  /** The same, by who called. */
  callsByCaller(): readonly CallerCount[] {
    return this.#counter.byCaller();
  }

  resetCalls(): void {
    this.#counter.reset();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A caller that goes away in the middle is its own affair.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const name = nameOf(request);
    try {
      const service = name === undefined ? undefined : this.#services.get(name);
      if (name === undefined || !service) this.#refuse(response, name);
      else await this.#dispatch(service, request, response);
    } catch (error) {
      this.#options.log('frontDoor.failed', { service: name, error: String(error) });
      if (response.headersSent) response.destroy();
      else answerError(response, name ?? '', internalFailure(name ?? ''));
    }
  }

  async #dispatch(service: AwsService, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = service.signingName;
    this.#counter.watch(name, operationOfRequest(request, name), request, response);
    const fate = this.#options.chaos.call(name);
    if (fate.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, fate.delayMs).unref());
    if (fate.fail === 'none') return service.handle(request, response);
    this.#options.log('chaos.callFailed', {
      service: name,
      work: fate.fail === 'after' ? 'done' : 'not done',
    });
    if (fate.fail === 'before') {
      request.resume();
      return answerError(response, name, throttling(name));
    }
    await handleUnseen(service, request);
    answerError(response, name, internalFailure(name));
  }

  #refuse(response: ServerResponse, name: string | undefined): void {
    const known = [...this.#services.keys()].sort().join(', ');
    const message = `The embedded AWS has no service "${name ?? 'unknown'}"; it has ${known}`;
    answerError(response, '', { status: 400, code: 'UnknownService', message });
  }
}

function nameOf(request: IncomingMessage): string | undefined {
  try {
    return serviceOfRequest(request);
  } catch {
    // The request target is no URL.
    return undefined;
  }
}

/** Lets the service do its work and answer into nowhere. */
async function handleUnseen(service: AwsService, request: IncomingMessage): Promise<void> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const unseen = new Response(request);
  unseen.assignSocket(nowhere as unknown as Socket);
  // As a server does: a service may wait for its answer to close.
  unseen.once('finish', () => nowhere.destroy());
  await service.handle(request, unseen);
}
