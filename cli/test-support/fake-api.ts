/**
 * The task API on loopback, with real HTTP and real sockets: it checks what comes against the published schemas, and
 * what it answers itself as well.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { WebSocketServer, type WebSocket } from 'ws';
import {
  apiRoutes,
  pushMessageSchema,
  subscribeRequestSchema,
  type ApiRoute,
  type OperationId,
  type Task,
} from '../../shared-types/index.ts';
import { answer, type FakeState } from './fake-routes.ts';
import { createFakeTasks, refusal, reply, type Reply } from './fake-tasks.ts';

export interface Recorded {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Inflated. */
  readonly body: string;
  /** As it travelled. */
  readonly bytes: number;
}

export interface FakeApi extends FakeState {
  readonly url: string;
  readonly requests: Recorded[];
  readonly handshakes: string[];
  /** What was not as the contract has it. */
  readonly violations: string[];
  /** Bytes below `/media/`. */
  readonly media: Map<string, Reply & { readonly bytes?: Uint8Array }>;
  /** Answers instead; `cut` breaks the connection, `lose` does the work and then breaks it. */
  intercept: (request: Recorded) => Reply | 'cut' | 'lose' | undefined;
  /** Changes a task and pushes it: progress, or its end. */
  move(id: string, changes: Partial<Task>, node?: { name: string; step: number; steps: number }): void;
  cutSockets(): void;
  acceptsSockets: boolean;
  subscriptions: string[];
  close(): Promise<void>;
}

const bytesOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const routes = Object.entries(apiRoutes) as [OperationId, ApiRoute][];

const matchRoute = (method: string, path: string) => {
  for (const [operation, route] of routes) {
    const pattern = `^/api/v1${route.path.replaceAll('{id}', '([^/]+)')}$`;
    const match = new RegExp(pattern).exec(path);
    if (match !== null && route.method === method)
      return { operation, route, id: decodeURIComponent(match[1] ?? '') };
  }
  return undefined;
};

/** One line that says what is wrong with a request, or undefined. */
const problemOf = (route: ApiRoute, query: URLSearchParams, body: string): string | undefined => {
  const asked = route.query?.safeParse(Object.fromEntries(query));
  if (asked?.success === false) return asked.error.issues[0]?.message;
  if (route.request === undefined) return body === '' ? undefined : 'there should be no body';
  try {
    return route.request.safeParse(JSON.parse(body)).error?.issues[0]?.message;
  } catch {
    return 'the body is no JSON';
  }
};

class Fake implements FakeApi {
  readonly tasks = createFakeTasks();
  readonly uploads: FakeState['uploads'] = new Map();
  readonly workflows = new Map<string, string>();
  readonly tickets = new Set<string>();
  readonly requests: Recorded[] = [];
  readonly handshakes: string[] = [];
  readonly violations: string[] = [];
  readonly media: FakeApi['media'] = new Map();
  timeline: unknown = { entries: [], truncated: false };
  callbacks: unknown[] = [];
  queue = { paused: false, all_paused: false };
  intercept: FakeApi['intercept'] = () => undefined;
  acceptsSockets = true;
  subscriptions: string[] = [];
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #http = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

  async start(): Promise<this> {
    this.#http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const query = new URL(request.url ?? '', this.url).searchParams;
      this.handshakes.push(request.url ?? '');
      if (query.has('token')) this.violations.push('a key stood in the address of a socket');
      if (!this.acceptsSockets || !this.tickets.delete(query.get('ticket') ?? '')) {
        socket.end('HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n');
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (opened) => {
        opened.on('message', (data: Buffer) => this.#onMessage(opened, data.toString()));
      });
    });
    await new Promise<void>((resolve) => {
      this.#http.listen(0, '127.0.0.1', () => resolve());
    });
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get urls() {
    return { http: this.url, socket: `${this.url.replace('http', 'ws')}/live` };
  }

  move(id: string, changes: Partial<Task>, node?: { name: string; step: number; steps: number }): void {
    const stored = this.tasks.tasks.get(id);
    if (stored === undefined) throw new Error(`no task ${id}`);
    stored.task = { ...stored.task, ...changes };
    stored.sequence += 1;
    const ended = ['completed', 'failed', 'cancelled'].includes(stored.task.status);
    const progress = this.tasks.progressOf(
      stored,
      node?.name ?? 'K-Sampler',
      node?.step ?? 1,
      node?.steps ?? 1,
    );
    for (const socket of this.#sockets.clients)
      this.#push(socket, ended ? this.tasks.endOf(stored) : progress);
  }

  cutSockets(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  async close(): Promise<void> {
    this.cutSockets();
    this.#http.closeAllConnections();
    await new Promise((resolve) => {
      this.#http.close(resolve);
    });
  }

  #push(socket: WebSocket, message: unknown): void {
    const read = pushMessageSchema.safeParse(message);
    if (!read.success) this.violations.push(`push: ${read.error.message}`);
    socket.send(JSON.stringify(message));
  }

  #onMessage(socket: WebSocket, text: string): void {
    const { jobId } = subscribeRequestSchema.parse(JSON.parse(text));
    this.subscriptions.push(jobId);
    const stored = this.tasks.tasks.get(jobId);
    if (stored === undefined)
      this.#push(socket, { type: 'error', code: 'notFound', message: 'No such job', jobId });
    else this.#push(socket, this.tasks.snapshotOf(stored));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await bytesOf(request);
    const { method = '', url: path = '', headers } = request;
    const inflated = headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
    if (path.startsWith('/media/')) return this.#serveMedia(path, response);
    if (path.startsWith('/uploads/')) return this.#takeUpload(path, raw, headers, response);
    const recorded = { method, path, headers, body: inflated.toString(), bytes: raw.length };
    this.requests.push(recorded);
    const instead = this.intercept(recorded);
    if (instead === 'cut') return void request.socket.destroy();
    const given = typeof instead === 'object' ? instead : this.#answer(recorded);
    if (instead === 'lose') return void request.socket.destroy();
    const text = typeof given.body === 'string' ? given.body : JSON.stringify(given.body);
    response.writeHead(given.status, { 'content-type': 'application/json', ...given.headers });
    response.end(given.body === undefined ? undefined : text);
  }

  #answer(request: Recorded): Reply {
    const { pathname, searchParams } = new URL(request.path, this.url);
    const found = matchRoute(request.method, pathname);
    if (found === undefined) return refusal(404, 'Not Found');
    const { operation, route, id } = found;
    const problem = problemOf(route, searchParams, request.body);
    if (problem !== undefined) return refusal(400, problem);
    const key = request.headers['idempotency-key'];
    const call = { operation, id, query: searchParams, body: request.body };
    const given = answer(this, { ...call, idempotencyKey: typeof key === 'string' ? key : undefined });
    if (given === undefined) return refusal(404, `nobody calls ${operation}`);
    this.#check(operation, route, given);
    return given;
  }

  /** An answer that the contract does not have would prove nothing. */
  #check(operation: OperationId, route: ApiRoute, { status, body }: Reply): void {
    if (status >= 400) return;
    if (!(status in route.responses)) this.violations.push(`${operation} answers ${status}`);
    const schema = route.responses[status];
    const read = schema?.safeParse(typeof body === 'string' ? JSON.parse(body) : body);
    if (read?.success === false) this.violations.push(`${operation}: ${read.error.message}`);
  }

  #serveMedia(path: string, response: ServerResponse): void {
    const found = this.media.get(path.slice('/media/'.length)) ?? reply(404);
    response.writeHead(found.status, found.headers ?? {});
    response.end('bytes' in found ? found.bytes : undefined);
  }

  #takeUpload(
    path: string,
    bytes: Buffer,
    headers: IncomingMessage['headers'],
    response: ServerResponse,
  ): void {
    const upload = this.uploads.get(path.slice('/uploads/'.length));
    const fits = upload?.size === bytes.length && headers['content-type'] === upload.type;
    if (upload !== undefined && fits) upload.bytes = bytes;
    response.writeHead(fits ? 200 : 403).end();
  }
}

export const startFakeApi = (): Promise<FakeApi> => new Fake().start();
