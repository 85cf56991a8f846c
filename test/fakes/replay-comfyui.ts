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

/** Starts on 127.0.0.1, any free port. The recording's first accepted prompt is what every post plays. */
export const startReplayComfyUi = async (
  name: RecordingName,
  options: ReplayOptions = {},
): Promise<ReplayComfyUi> => {
  const { pace = 0, pauseBefore = () => false, sends = () => true } = options;
  const recording = readRecording(name);
  const recorded = recording.prompts.find((prompt) => prompt.clientId === recording.clientId);
  if (recorded === undefined) throw new Error(`${name} has no prompt to play`);
  const files = filesOf(recording);
  const sockets = new Map<WebSocket, string>();
  const requests: string[] = [];
  const received: string[] = [];
  let pending: Run[] = [];
  let running: Run | undefined;
  let history = new Map<string, Json>();
  let number = 0;
  let life = new AbortController();
  let resume: (() => void) | undefined;
  let paused = false;

  const broadcast = (data: string | Buffer): void => {
    for (const socket of sockets.keys())
      socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
  };
  const sendTo = (clientId: string | undefined, data: string | Buffer): void => {
    for (const [socket, id] of sockets) {
      if (id === clientId) socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
    }
  };
  const remaining = (): number => pending.length + (running === undefined ? 0 : 1);
  const statusFrame = (sid?: string): string =>
    JSON.stringify({
      type: 'status',
      data: {
        status: { exec_info: { queue_remaining: remaining() } },
        ...(sid === undefined ? {} : { sid }),
      },
    });

  const entryOf = (run: Run): Json => {
    const text = JSON.stringify(recorded.entry ?? {}).replaceAll(recorded.promptId, run.promptId);
    return { ...asObject(JSON.parse(text)), prompt: run.tuple };
  };

  const waitIfAsked = async (text: string, signal: AbortSignal): Promise<void> => {
    if (paused || resume !== undefined || !pauseBefore(text)) return;
    paused = true;
    await new Promise<void>((resolve) => {
      resume = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    paused = false;
  };

  const interruption = (run: Run): [string, Json][] => [
    [
      'execution_interrupted',
      { prompt_id: run.promptId, node_id: null, node_type: null, executed: [], timestamp: Date.now() },
    ],
  ];

  const finish = (run: Run, signal: AbortSignal): void => {
    if (signal.aborted) return;
    const messages = interruption(run);
    const interrupted = {
      outputs: {},
      status: { status_str: 'error', completed: false, messages },
      meta: {},
    };
    if (run.interrupted) {
      sendTo(run.clientId, JSON.stringify({ type: messages[0]?.[0], data: messages[0]?.[1] }));
    }
    history.set(run.promptId, run.interrupted ? { ...interrupted, prompt: run.tuple } : entryOf(run));
    running = undefined;
    broadcast(statusFrame());
    sendTo(
      run.clientId,
      JSON.stringify({ type: 'executing', data: { node: null, prompt_id: run.promptId } }),
    );
  };

  const isEnd = (text: string): boolean => text.includes('"executing"') && text.includes('"node":null');

  const play = async (run: Run, signal: AbortSignal): Promise<void> => {
    let at = recorded.postedAt;
    broadcast(statusFrame());
    for (const line of recording.socketLines.filter((l) => isOf(l, recorded))) {
      if (signal.aborted || run.interrupted) break;
      await sleep((line.ms - at) * pace, undefined, { signal }).catch(() => undefined);
      at = line.ms;
      const text = frameText(line)?.replaceAll(recorded.promptId, run.promptId);
      if (text !== undefined) await waitIfAsked(text, signal);
      if (signal.aborted || run.interrupted || (text !== undefined && isEnd(text))) break;
      if (line.binary !== undefined) {
        sendTo(
          run.clientId,
          rewriteBinary(Buffer.from(line.binary, 'base64'), recorded.promptId, run.promptId),
        );
      } else if (text !== undefined && sends(text)) sendTo(run.clientId, text);
    }
    finish(run, signal);
  };

  const playAll = async (): Promise<void> => {
    if (running !== undefined) return;
    const { signal } = life;
    for (let run = pending.shift(); run !== undefined && !signal.aborted; run = pending.shift()) {
      running = run;
      await play(run, signal);
    }
  };

  const post = (body: Json, response: ServerResponse): void => {
    if (Object.keys(asObject(body['prompt'])).length === 0) {
      const error = { type: 'no_prompt', message: 'No prompt provided', details: '', extra_info: {} };
      return sendJson(response, 400, { error, node_errors: {} });
    }
    const promptId = typeof body['prompt_id'] === 'string' ? body['prompt_id'] : crypto.randomUUID();
    const clientId = typeof body['client_id'] === 'string' ? body['client_id'] : undefined;
    const extra = {
      ...asObject(body['extra_data']),
      ...(clientId === undefined ? {} : { client_id: clientId }),
    };
    const outputs = Object.keys(asObject(recorded.entry?.['outputs']));
    const tuple = [number, promptId, body['prompt'], extra, outputs];
    pending.push({ promptId, clientId, tuple, interrupted: false });
    broadcast(statusFrame());
    sendJson(response, 200, { prompt_id: promptId, number, node_errors: {} });
    number += 1;
    void playAll();
  };

  const view = (url: URL, response: ServerResponse): void => {
    const filename = url.searchParams.get('filename') ?? '';
    const file = files.get(filename);
    if (file === undefined && !announces(recorded.entry, filename)) return sendJson(response, 404, {});
    const { bytes, type } = file ?? { bytes: PIXEL, type: 'image/png' };
    response.writeHead(200, {
      'content-type': type,
      'content-length': bytes.length,
      etag: `"1-${bytes.length}"`,
    });
    response.end(bytes);
  };

  const change = async (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readJson(request);
    if (path === '/prompt') return post(body, response);
    if (path === '/interrupt' && running !== undefined) {
      running.interrupted = body['prompt_id'] === undefined || body['prompt_id'] === running.promptId;
      if (running.interrupted) resume?.();
    }
    const deleted = body['delete'];
    if (path === '/queue' && Array.isArray(deleted)) {
      pending = pending.filter((run) => !deleted.includes(run.promptId));
      broadcast(statusFrame());
    }
    response.writeHead(200).end();
  };

  const read = (url: URL, response: ServerResponse): void => {
    const path = url.pathname;
    if (path === '/prompt') return sendJson(response, 200, { exec_info: { queue_remaining: remaining() } });
    if (path === '/queue') {
      const queue_running = running === undefined ? [] : [running.tuple];
      return sendJson(response, 200, { queue_running, queue_pending: pending.map((run) => run.tuple) });
    }
    if (path === '/history') return sendJson(response, 200, Object.fromEntries(history));
    if (path.startsWith('/history/')) {
      const id = decodeURIComponent(path.slice('/history/'.length));
      return sendJson(response, 200, history.has(id) ? { [id]: history.get(id) } : {});
    }
    if (path === '/system_stats') return sendJson(response, 200, recordedSystemStats());
    if (path === '/object_info') return sendJson(response, 200, recordedObjectInfo());
    if (path === '/view') return view(url, response);
    return sendJson(response, 404, {});
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const path = url.pathname.replace(/^\/api(?=\/)/, '');
    requests.push(`${request.method} ${path}`);
    if (request.method === 'POST') void change(path, request, response);
    else read(new URL(`${path}${url.search}`, url), response);
  });
  const upgrader = new WebSocketServer({ server, path: '/ws' });
  upgrader.on('connection', (socket, request) => {
    const clientId =
      new URL(request.url ?? '/', 'http://x').searchParams.get('clientId') ?? crypto.randomUUID();
    sockets.set(socket, clientId);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('message', (data) => received.push((data as Buffer).toString('utf8')));
    socket.send(statusFrame(clientId));
    if (running?.clientId === clientId) {
      const [node] = Object.keys(asObject(recorded.workflow));
      socket.send(JSON.stringify({ type: 'executing', data: { node } }));
    }
  });
  const port = await listen(server, 0);

  const dropSockets = (): void => {
    for (const socket of sockets.keys()) socket.terminate();
  };
  const down = async (): Promise<void> => {
    life.abort();
    dropSockets();
    [pending, running, history, number] = [[], undefined, new Map<string, Json>(), 0];
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  return {
    url: `http://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    requests,
    received,
    connections: () => sockets.size,
    resume: () => resume?.(),
    isPaused: () => paused,
    dropSockets,
    broadcast,
    down,
    up: async () => {
      life = new AbortController();
      await listen(server, port);
    },
    close: async () => {
      if (server.listening) await down();
      upgrader.close();
    },
  };
};
