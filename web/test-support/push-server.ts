/** A real WebSocket and HTTP server on loopback that a test tells what to say. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export interface PushServer {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
  /** Everything that browsers sent, over all connections. */
  readonly received: string[];
  /** Paths with query of the handshakes. */
  readonly handshakes: string[];
  readonly requests: { method: string; path: string; body: string; authorization: string | undefined }[];
  /** Asked for each subscribe; its answers go back at once. */
  onSubscribe: (jobId: string) => readonly unknown[];
  onRequest: (request: { method: string; path: string }) => { status: number; body: unknown };
  answersPings: boolean;
  /** False: handshakes are refused. */
  acceptsSockets: boolean;
  /** To every open connection; objects as JSON, texts and bytes as they are. */
  push(...messages: readonly unknown[]): void;
  cut(): void;
  readonly connections: number;
  close(): Promise<void>;
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
};

const send = (socket: WebSocket, message: unknown): void => {
  const raw = typeof message === 'string' || message instanceof Uint8Array;
  socket.send(raw ? message : JSON.stringify(message));
};

const requestOf = (text: string): { action: string; jobId: string } =>
  JSON.parse(text) as { action: string; jobId: string };

export const startPushServer = async (): Promise<PushServer> => {
  const sockets = new WebSocketServer({ noServer: true });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '' } = request;
    const { authorization } = request.headers;
    server.requests.push({ method, path, body: await bodyOf(request), authorization });
    const { status, body } = server.onRequest({ method, path });
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const http = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  http.on('upgrade', (request, socket, head) => {
    // A browser that gives up while it is refused is no failure of the server.
    socket.on('error', () => socket.destroy());
    server.handshakes.push(request.url ?? '');
    if (!server.acceptsSockets) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on('message', (data: Buffer) => {
        const text = data.toString();
        server.received.push(text);
        const { action, jobId } = requestOf(text);
        if (action === 'ping' && server.answersPings) send(opened, { type: 'pong' });
        if (action !== 'subscribe') return;
        for (const message of server.onSubscribe(jobId)) send(opened, message);
      });
    });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', () => resolve());
  });
  const { port } = http.address() as AddressInfo;
  const server: PushServer = {
    apiUrl: `http://127.0.0.1:${port}`,
    webSocketUrl: `ws://127.0.0.1:${port}/`,
    received: [],
    handshakes: [],
    requests: [],
    answersPings: true,
    acceptsSockets: true,
    onSubscribe: () => [],
    onRequest: () => ({ status: 404, body: { error: 'no such task' } }),
    push(...messages) {
      for (const socket of sockets.clients) for (const message of messages) send(socket, message);
    },
    cut() {
      for (const socket of sockets.clients) socket.terminate();
    },
    get connections() {
      return sockets.clients.size;
    },
    async close() {
      server.cut();
      http.closeAllConnections();
      await new Promise((resolve) => {
        http.close(resolve);
      });
    },
  };
  return server;
};
