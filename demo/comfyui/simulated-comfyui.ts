/** A ComfyUI without a GPU: same wire, pictures drawn by hand. See README.md for what differs. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { FailureKind, PlannedFailure } from './failure-plan.ts';
import { FailurePlan, isRequestFailure, isRunFailure } from './failure-plan.ts';
import { isForeignOrigin, parseUrl, sendReply, textReply, toPodRequest } from './http-exchange.ts';
import type { Folders } from './output-files.ts';
import { prepareFolders } from './output-files.ts';
import type { Log, PodOptions } from './pod.ts';
import { Pod } from './pod.ts';
import type { QueueSnapshot } from './prompt-queue.ts';
import { toPlain } from './python-json.ts';
import { answer } from './routes.ts';
import { StepHold } from './step-hold.ts';

export interface SimulatedComfyUiOptions {
  /** 0 (the default) takes a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Kept on close. Default: a temporary folder, removed on close. */
  readonly outputDir?: string;
  readonly inputDir?: string;
  /** Milliseconds a sampler takes for a step. Default 120; 0 is as fast as possible. */
  readonly stepDelayMs?: number;
  /** Milliseconds CheckpointLoaderSimple takes. Default 0. */
  readonly modelLoadDelayMs?: number;
  /** Milliseconds between `execution_success` and the history entry. Default 0. */
  readonly historyDelayMs?: number;
  /** Default true. */
  readonly previews?: boolean;
  /** Least milliseconds between two previews. Default 0: one for each step. */
  readonly previewIntervalMs?: number;
  /** Default 0.3.64, the version of the recordings. */
  readonly version?: string;
  readonly random?: () => number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Resolves after the time, or at once when the signal fires. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly log?: Log;
  /** Replaces what a crash asked for over HTTP or by `failNext` does. Default: crash, and restart if told to. */
  readonly onCrash?: (restartAfterMs: number | undefined) => void;
}

export interface SimulatedComfyUi {
  /** `http://127.0.0.1:<port>`, the same after a restart. */
  readonly url: string;
  readonly port: number;
  readonly outputDir: string;
  readonly inputDir: string;
  /** Sockets end with 1006, connections are refused, queue, history, cache and temp files are gone. */
  crash(): Promise<void>;
  /** Comes back on the same port, with an empty memory. */
  restart(): Promise<void>;
  /** Holds back all frames while HTTP and execution go on. */
  stallSockets(on: boolean): void;
  /** The running prompt stays in the queue for ever; HTTP still answers. Only a restart helps. */
  killWorkerThread(): void;
  /** The next POST /prompt gets this status and is not queued. */
  rejectNext(status: number): void;
  /** The next job (or POST) fails in this way. Run failures strike after `afterSteps` steps, default 2. */
  failNext(kind: FailureKind, details?: Omit<Partial<PlannedFailure>, 'kind'>): void;
  /** Each job, the running one too, waits once it has taken so many steps; again moves the line. Outlives a crash. */
  hold(afterSteps: number): void;
  /** All go on, and none is held any more. */
  release(): void;
  /** Cuts all sockets (1006); clients may come back at once. */
  loseSocket(): void;
  /** As GET /history, or of one prompt alone, as plain objects: digits of numbers beyond 2^53 are lost. */
  history(promptId?: string): Record<string, unknown>;
  /** As GET /queue, in the same way. */
  queue(): QueueSnapshot;
  /** Ends everything; nothing stays open. */
  close(): Promise<void>;
}

/** 4 MiB, the limit for frames from clients. */
const MAX_INBOUND_FRAME = 4 * 1024 * 1024;

/** @throws the listen error when the port is taken. */
export async function startSimulatedComfyUi(
  options: SimulatedComfyUiOptions = {},
): Promise<SimulatedComfyUi> {
  const base = await mkdtemp(path.join(tmpdir(), 'demo-comfyui-'));
  const lifecycle = new Lifecycle(options, {
    output: options.outputDir ?? path.join(base, 'output'),
    temp: path.join(base, 'temp'),
    input: options.inputDir ?? path.join(base, 'input'),
  });
  try {
    await lifecycle.start();
  } catch (error) {
    await rm(base, { recursive: true, force: true });
    throw error;
  }
  return handleOf(lifecycle, base);
}

class Lifecycle {
  readonly folders: Folders;
  readonly failures = new FailurePlan();
  readonly hold = new StepHold();
  readonly options: SimulatedComfyUiOptions;
  pod: Pod;
  port: number;
  private server: Server | undefined;
  private comeback: NodeJS.Timeout | undefined;

  constructor(options: SimulatedComfyUiOptions, folders: Folders) {
    this.options = options;
    this.folders = folders;
    this.port = options.port ?? 0;
    this.pod = new Pod(this.podOptions(), this.failures);
  }

  get host(): string {
    return this.options.host ?? '127.0.0.1';
  }

  private podOptions(): PodOptions {
    const { options } = this;
    return {
      folders: this.folders,
      hold: this.hold,
      stepDelayMs: options.stepDelayMs ?? 120,
      modelLoadDelayMs: options.modelLoadDelayMs ?? 0,
      historyDelayMs: options.historyDelayMs ?? 0,
      previews: options.previews ?? true,
      previewIntervalMs: options.previewIntervalMs ?? 0,
      now: options.now ?? Date.now,
      random: options.random ?? Math.random,
      sleep: options.sleep ?? sleepOrAbort,
      log: options.log ?? (() => undefined),
      onCrash: options.onCrash ?? ((restartAfterMs) => this.crashAndComeBack(restartAfterMs)),
    };
  }

  async start(): Promise<void> {
    await prepareFolders(this.folders);
    const server = createServer((request, response) => void this.serve(request, response));
    const sockets = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_INBOUND_FRAME,
      perMessageDeflate: false,
    });
    server.on('upgrade', (request, socket, head) => this.upgrade(sockets, request, socket, head));
    server.on('clientError', (_error, socket) => socket.destroy());
    this.port = await listen(server, this.port, this.host);
    this.server = server;
    this.pod.startWorker();
  }

  private async serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = message.method ?? 'GET';
    // A body that nobody read (too large, or from a foreign page) ends with its connection.
    response.once('finish', () => {
      if (!message.complete) message.destroy();
    });
    try {
      const foreign = isForeignOrigin(message.headers);
      const address = { host: this.host, port: this.port, version: this.options.version ?? '0.3.64' };
      const reply = foreign ? textReply(403, '403') : await answer(this.pod, toPodRequest(message), address);
      sendReply(response, method, reply);
    } catch {
      // A target that is no URL, or a client that left before its answer.
      if (!response.headersSent) sendReply(response, method, textReply(400, '400: Bad Request'));
    }
  }

  private upgrade(sockets: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const status = upgradeRefusal(request);
    if (status !== null) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const clientId = parseUrl(request.url ?? '/').searchParams.get('clientId');
    sockets.handleUpgrade(request, socket, head, (accepted) => this.pod.hub.accept(accepted, clientId));
  }

  async crash(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const old = this.pod;
    this.pod = new Pod(this.podOptions(), this.failures);
    const ended = old.stop();
    if (server) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
    await ended;
    await rm(this.folders.temp, { recursive: true, force: true });
  }

  async restart(): Promise<void> {
    if (this.server) await this.crash();
    await this.start();
  }

  private crashAndComeBack(restartAfterMs: number | undefined): void {
    const crashed = this.crash();
    crashed.catch(() => undefined);
    if (restartAfterMs === undefined) return;
    this.comeback = setTimeout(() => {
      void crashed.then(() => this.restart());
    }, restartAfterMs);
  }

  async close(): Promise<void> {
    clearTimeout(this.comeback);
    await this.crash();
  }
}

function upgradeRefusal(request: IncomingMessage): string | null {
  if (isForeignOrigin(request.headers)) return '403 Forbidden';
  try {
    const { pathname } = parseUrl(request.url ?? '/');
    return pathname === '/ws' || pathname === '/api/ws' ? null : '404 Not Found';
  } catch {
    return '400 Bad Request';
  }
}

function handleOf(lifecycle: Lifecycle, base: string): SimulatedComfyUi {
  return {
    url: `http://${lifecycle.host}:${lifecycle.port}`,
    port: lifecycle.port,
    outputDir: lifecycle.folders.output,
    inputDir: lifecycle.folders.input,
    crash: () => lifecycle.crash(),
    restart: () => lifecycle.restart(),
    stallSockets: (on) => lifecycle.pod.hub.stall(on),
    killWorkerThread: () => lifecycle.pod.killWorker(),
    rejectNext: (status) => lifecycle.failures.reject(status),
    failNext: (kind, details) => planFailure(lifecycle.failures, kind, details ?? {}),
    hold: (afterSteps) => lifecycle.hold.set(afterSteps),
    release: () => lifecycle.hold.release(),
    loseSocket: () => lifecycle.pod.hub.dropAll(),
    history: (promptId) => toPlain(lifecycle.pod.queue.history(promptId)) as Record<string, unknown>,
    queue: () => toPlain(lifecycle.pod.queue.snapshot()) as QueueSnapshot,
    close: async () => {
      await lifecycle.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

function planFailure(
  plan: FailurePlan,
  kind: FailureKind,
  details: Omit<Partial<PlannedFailure>, 'kind'>,
): void {
  if (isRequestFailure(kind)) plan.addRequest(kind);
  if (isRunFailure(kind)) plan.addRun({ afterSteps: 2, ...details, kind });
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function sleepOrAbort(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    if (milliseconds <= 0) return void setImmediate(resolve);
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
    return undefined;
  });
}
