/**
 * A ComfyUI made of recordings: whoever posts a prompt gets the recorded frames, outcome and files, under the posted
 * prompt id; a socket that was lost is lost again. It keeps a queue and a history as the real one does, and loses both when it restarts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import {
  asObject,
  readRecording,
  recordedObjectInfo,
  recordedSystemStats,
  type Json,
  type RecordingName,
} from './recording.ts';
import { Player, type ReplayOptions } from './replay-player.ts';

export type { ReplayOptions } from './replay-player.ts';

export interface ReplayComfyUi {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Requests so far, `METHOD /path`. */
  readonly requests: readonly string[];
  /** Text frames that clients sent, oldest first. */
  readonly received: readonly string[];
  connections(): number;
  /** The posts from now on play another recording. */
  load(name: RecordingName): void;
  /** Prompts wait in the queue until `release()`. */
  hold(): void;
  release(): void;
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

const readJson = async (request: IncomingMessage): Promise<Json> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return asObject(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch {
    return {};
  }
};

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
};

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

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

const view = (player: Player, url: URL, response: ServerResponse): void => {
  const file = player.file(url.searchParams.get('filename') ?? '');
  if (file === undefined) return sendJson(response, 404, {});
  const { bytes, type } = file;
  const headers = { 'content-type': type, 'content-length': bytes.length, etag: `"1-${bytes.length}"` };
  response.writeHead(200, headers).end(bytes);
};

const get = (player: Player, url: URL, response: ServerResponse): void => {
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
  if (path === '/view') return view(player, url, response);
  return sendJson(response, 404, {});
};

const serve = (player: Player): Server =>
  createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = url.pathname.replace(/^\/api(?=\/)/, '');
    player.requests.push(`${request.method} ${path}`);
    if (request.method === 'POST') void post(player, path, request, response);
    else get(player, new URL(`${path}${url.search}`, url), response);
  });

const askedClientId = (request: IncomingMessage): string | null =>
  new URL(request.url ?? '/', 'http://127.0.0.1').searchParams.get('clientId');

const acceptSockets = (player: Player, server: Server): WebSocketServer => {
  const upgrader = new WebSocketServer({
    server,
    path: '/ws',
    verifyClient: ({ req }, answer) => answer(player.listensTo(askedClientId(req) ?? ''), 503),
  });
  upgrader.on('connection', (socket, request) => {
    const clientId = askedClientId(request) ?? crypto.randomUUID();
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
  const player = new Player(readRecording(name), options);
  const server = serve(player);
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
    load: (recording) => void player.load(readRecording(recording)),
    hold: () => player.hold(),
    release: () => player.release(),
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
