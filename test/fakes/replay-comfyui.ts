/**
 * A ComfyUI made of one recording: whoever posts a prompt gets the recorded frames, outcome and files, under the posted
 * prompt id. It keeps a queue and a history as the real one does, and loses both when it restarts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import {
  frameText,
  readRecording,
  recordedObjectInfo,
  recordedSystemStats,
  type RecordedLine,
  type RecordedPrompt,
  type Recording,
  type RecordingName,
} from './recording.ts';

type Json = Record<string, unknown>;

export interface ReplayOptions {
  /** 1 = as recorded, 0 = without pauses (default). */
  readonly pace?: number;
  /** Playing stops before the first frame for which this holds, until `resume()`. */
  readonly pauseBefore?: (frameText: string) => boolean;
  /** Which frames are sent; all by default. */
  readonly sends?: (frameText: string) => boolean;
}

interface Run {
  readonly promptId: string;
  readonly clientId: string | undefined;
  readonly tuple: unknown[];
  interrupted: boolean;
}

export interface ReplayComfyUi {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Requests so far, `METHOD /path`. */
  readonly requests: readonly string[];
  /** Text frames that clients sent, oldest first. */
  readonly received: readonly string[];
  connections(): number;
  resume(): void;
  isPaused(): boolean;
  /** Cuts every socket without a goodbye. */
  dropSockets(): void;
  /** Sends bytes as they are to every socket. */
  broadcast(data: string | Buffer): void;
  /** Stops listening and forgets queue and history; `up()` listens on the same port again. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

const readJson = async (request: IncomingMessage): Promise<Json> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return asObject(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch {
    return {};
  }
};

const PREVIEW_WITH_METADATA = 4;

/** Metadata of a preview names the prompt: rewritten, its length prefix with it. */
const rewriteBinary = (frame: Buffer, from: string, to: string): Buffer => {
  if (frame.readUInt32BE(0) !== PREVIEW_WITH_METADATA) return frame;
  const length = frame.readUInt32BE(4);
  const metadata = Buffer.from(frame.toString('utf8', 8, 8 + length).replaceAll(from, to));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(PREVIEW_WITH_METADATA, 0);
  head.writeUInt32BE(metadata.length, 4);
  return Buffer.concat([head, metadata, frame.subarray(8 + length)]);
};

const isOf = (line: RecordedLine, prompt: RecordedPrompt): boolean => {
  if (line.ms < prompt.postedAt || line.ms > prompt.endedAt + 1) return false;
  return line.binary !== undefined || (frameText(line)?.includes(prompt.promptId) ?? false);
};

const filesOf = (recording: Recording): Map<string, { bytes: Buffer; type: string }> => {
  const files = new Map<string, { bytes: Buffer; type: string }>();
  for (const line of recording.lines) {
    const { base64, contentType } = asObject(line.response);
    if (!line.http?.startsWith('GET /view?') || typeof base64 !== 'string') continue;
    const filename = new URLSearchParams(line.http.split('?')[1]).get('filename') ?? '';
    files.set(filename, { bytes: Buffer.from(base64, 'base64'), type: String(contentType) });
  }
  return files;
};

/** A picture of one pixel, for files that the recorder did not fetch. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==',
  'base64',
);

const announces = (entry: Json | undefined, filename: string): boolean =>
  JSON.stringify(entry?.['outputs'] ?? {}).includes(JSON.stringify(filename));

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
};

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

/** The recording's first accepted prompt is what every post plays. */
const playedPrompt = (recording: Recording): RecordedPrompt => {
  const prompt = recording.prompts.find((p) => p.clientId === recording.clientId);
  if (prompt === undefined) throw new Error(`${recording.name} has no prompt to play`);
  return prompt;
};

const isEnd = (text: string): boolean => text.includes('"executing"') && text.includes('"node":null');

const interruption = (run: Run): Json => ({
  type: 'execution_interrupted',
  data: { prompt_id: run.promptId, node_id: null, node_type: null, executed: [], timestamp: Date.now() },
});

/** Plays one prompt after the other, and remembers them as a ComfyUI process does. */
class Player {
  readonly requests: string[] = [];
  readonly received: string[] = [];
  readonly sockets = new Map<WebSocket, string>();
  readonly recorded: RecordedPrompt;
  readonly #recording: Recording;
  readonly #options: ReplayOptions;
  #pending: Run[] = [];
  #running: Run | undefined;
  #history = new Map<string, Json>();
  #number = 0;
  #life = new AbortController();
  #resume: (() => void) | undefined;
  #paused = false;

  constructor(recording: Recording, options: ReplayOptions) {
    this.#recording = recording;
    this.recorded = playedPrompt(recording);
    this.#options = options;
  }

  get remaining(): number {
    return this.#pending.length + (this.#running === undefined ? 0 : 1);
  }

  get paused(): boolean {
    return this.#paused;
  }

  resume(): void {
    this.#resume?.();
  }

  broadcast(data: string | Buffer): void {
    for (const socket of this.sockets.keys()) {
      socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
    }
  }

  #sendTo(clientId: string | undefined, data: string | Buffer): void {
    for (const [socket, id] of this.sockets) {
      if (id === clientId) socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
    }
  }

  #status(sid?: string): string {
    const status = { exec_info: { queue_remaining: this.remaining } };
    return JSON.stringify({ type: 'status', data: { status, ...(sid === undefined ? {} : { sid }) } });
  }

  /** What a client hears first: the queue, and, while its own prompt runs, the node at work. */
  greet(socket: WebSocket, clientId: string): void {
    socket.send(this.#status(clientId));
    if (this.#running?.clientId !== clientId) return;
    const [node] = Object.keys(asObject(this.recorded.workflow));
    socket.send(JSON.stringify({ type: 'executing', data: { node } }));
  }

  enqueue(body: Json): Json {
    const promptId = typeof body['prompt_id'] === 'string' ? body['prompt_id'] : crypto.randomUUID();
    const clientId = typeof body['client_id'] === 'string' ? body['client_id'] : undefined;
    const extra = {
      ...asObject(body['extra_data']),
      ...(clientId === undefined ? {} : { client_id: clientId }),
    };
    const outputs = Object.keys(asObject(this.recorded.entry?.['outputs']));
    const number = this.#number;
    const tuple = [number, promptId, body['prompt'], extra, outputs];
    this.#number += 1;
    this.#pending.push({ promptId, clientId, tuple, interrupted: false });
    this.broadcast(this.#status());
    void this.#playAll();
    return { prompt_id: promptId, number, node_errors: {} };
  }

  remove(promptIds: readonly unknown[]): void {
    this.#pending = this.#pending.filter((run) => !promptIds.includes(run.promptId));
    this.broadcast(this.#status());
  }

  interrupt(promptId: unknown): void {
    if (this.#running === undefined || (promptId ?? this.#running.promptId) !== this.#running.promptId)
      return;
    this.#running.interrupted = true;
    this.resume();
  }

  queue(): Json {
    return {
      queue_running: this.#running === undefined ? [] : [this.#running.tuple],
      queue_pending: this.#pending.map((run) => run.tuple),
    };
  }

  history(promptId?: string): Json {
    if (promptId === undefined) return Object.fromEntries(this.#history);
    const entry = this.#history.get(promptId);
    return entry === undefined ? {} : { [promptId]: entry };
  }

  /** The end of the process: nothing is kept. */
  die(): void {
    this.#life.abort();
    for (const socket of this.sockets.keys()) socket.terminate();
    [this.#pending, this.#running, this.#number] = [[], undefined, 0];
    this.#history = new Map();
    this.#life = new AbortController();
  }

  async #playAll(): Promise<void> {
    const { signal } = this.#life;
    if (this.#running !== undefined) return;
    while (!signal.aborted) {
      const run = this.#pending.shift();
      if (run === undefined) return;
      this.#running = run;
      await this.#play(run, signal);
    }
  }

  async #play(run: Run, signal: AbortSignal): Promise<void> {
    const { pace = 0 } = this.#options;
    let at = this.recorded.postedAt;
    this.broadcast(this.#status());
    for (const line of this.#recording.socketLines.filter((l) => isOf(l, this.recorded))) {
      await sleep((line.ms - at) * pace, undefined, { signal }).catch(() => undefined);
      at = line.ms;
      const text = frameText(line)?.replaceAll(this.recorded.promptId, run.promptId);
      if (text !== undefined) await this.#waitIfAsked(text, signal);
      if (signal.aborted || run.interrupted || (text !== undefined && isEnd(text))) break;
      this.#sendLine(run, line, text);
    }
    if (!signal.aborted) this.#finish(run);
  }

  #sendLine(run: Run, line: RecordedLine, text: string | undefined): void {
    const { sends = () => true } = this.#options;
    if (line.binary !== undefined) {
      const frame = Buffer.from(line.binary, 'base64');
      this.#sendTo(run.clientId, rewriteBinary(frame, this.recorded.promptId, run.promptId));
    } else if (text !== undefined && sends(text)) this.#sendTo(run.clientId, text);
  }

  /** Stops once, before the frame that the test named. */
  async #waitIfAsked(text: string, signal: AbortSignal): Promise<void> {
    const { pauseBefore = () => false } = this.#options;
    if (this.#resume !== undefined || !pauseBefore(text)) return;
    this.#paused = true;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#paused = false;
  }

  #finish(run: Run): void {
    if (run.interrupted) {
      const frame = interruption(run);
      const status = {
        status_str: 'error',
        completed: false,
        messages: [[frame['type'], frame['data']]],
      };
      this.#sendTo(run.clientId, JSON.stringify(frame));
      this.#history.set(run.promptId, { prompt: run.tuple, outputs: {}, status, meta: {} });
    } else {
      const text = JSON.stringify(this.recorded.entry ?? {});
      const entry = asObject(JSON.parse(text.replaceAll(this.recorded.promptId, run.promptId)));
      this.#history.set(run.promptId, { ...entry, prompt: run.tuple });
    }
    this.#running = undefined;
    this.broadcast(this.#status());
    const data = { node: null, prompt_id: run.promptId };
    this.#sendTo(run.clientId, JSON.stringify({ type: 'executing', data }));
  }
}

const post = async (player: Player, path: string, request: IncomingMessage, response: ServerResponse) => {
  const body = await readJson(request);
  if (path === '/prompt' && Object.keys(asObject(body['prompt'])).length === 0) {
    const error = { type: 'no_prompt', message: 'No prompt provided', details: '', extra_info: {} };
    return sendJson(response, 400, { error, node_errors: {} });
  }
  if (path === '/prompt') return sendJson(response, 200, player.enqueue(body));
  if (path === '/interrupt') player.interrupt(body['prompt_id']);
  if (path === '/queue' && Array.isArray(body['delete'])) player.remove(body['delete']);
  return void response.writeHead(200).end();
};

type Files = ReturnType<typeof filesOf>;

const view = (player: Player, files: Files, url: URL, response: ServerResponse): void => {
  const filename = url.searchParams.get('filename') ?? '';
  const file = files.get(filename);
  if (file === undefined && !announces(player.recorded.entry, filename)) return sendJson(response, 404, {});
  const { bytes, type } = file ?? { bytes: PIXEL, type: 'image/png' };
  const headers = { 'content-type': type, 'content-length': bytes.length, etag: `"1-${bytes.length}"` };
  response.writeHead(200, headers).end(bytes);
};

const get = (player: Player, files: Files, url: URL, response: ServerResponse): void => {
  const path = url.pathname;
  if (path === '/prompt') {
    return sendJson(response, 200, { exec_info: { queue_remaining: player.remaining } });
  }
  if (path === '/queue') return sendJson(response, 200, player.queue());
  if (path === '/history') return sendJson(response, 200, player.history());
  if (path.startsWith('/history/')) {
    return sendJson(response, 200, player.history(decodeURIComponent(path.slice('/history/'.length))));
  }
  if (path === '/system_stats') return sendJson(response, 200, recordedSystemStats());
  if (path === '/object_info') return sendJson(response, 200, recordedObjectInfo());
  if (path === '/view') return view(player, files, url, response);
  return sendJson(response, 404, {});
};

const serve = (player: Player, files: Files): Server =>
  createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = url.pathname.replace(/^\/api(?=\/)/, '');
    player.requests.push(`${request.method} ${path}`);
    if (request.method === 'POST') void post(player, path, request, response);
    else get(player, files, new URL(`${path}${url.search}`, url), response);
  });

const acceptSockets = (player: Player, server: Server): WebSocketServer => {
  const upgrader = new WebSocketServer({ server, path: '/ws' });
  upgrader.on('connection', (socket, request) => {
    const asked = new URL(request.url ?? '/', 'http://127.0.0.1').searchParams.get('clientId');
    const clientId = asked ?? crypto.randomUUID();
    player.sockets.set(socket, clientId);
    socket.on('close', () => player.sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('message', (data) => player.received.push((data as Buffer).toString('utf8')));
    player.greet(socket, clientId);
  });
  return upgrader;
};

const shut = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** Starts on 127.0.0.1, any free port. */
export const startReplayComfyUi = async (
  name: RecordingName,
  options: ReplayOptions = {},
): Promise<ReplayComfyUi> => {
  const recording = readRecording(name);
  const player = new Player(recording, options);
  const server = serve(player, filesOf(recording));
  const upgrader = acceptSockets(player, server);
  const port = await listen(server, 0);
  const down = async (): Promise<void> => {
    player.die();
    await shut(server);
  };
  return {
    url: `http://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    requests: player.requests,
    received: player.received,
    connections: () => player.sockets.size,
    resume: () => player.resume(),
    isPaused: () => player.paused,
    dropSockets: () => {
      for (const socket of player.sockets.keys()) socket.terminate();
    },
    broadcast: (data) => player.broadcast(data),
    down,
    up: async () => void (await listen(server, port)),
    close: async () => {
      if (server.listening) await down();
      upgrader.close();
    },
  };
};
