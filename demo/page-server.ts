/** Serves the built page, its `config.json` and the events of the bus on loopback. The stage `local` deploys no page. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import type { BusWatch } from './page-server-bus.ts';

export interface PageConfig {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
}

export interface PageContent {
  /** Folder of the built page. */
  readonly folder: string;
  readonly config: PageConfig;
  /** Whose events the page may watch; without it there is no such route. */
  readonly bus?: Pick<BusWatch, 'subscribe'>;
}

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.json', 'application/json'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.ico', 'image/x-icon'],
]);

/** The file of a request path inside the folder, or undefined when it points outside. */
export const fileOfPath = (folder: string, requestPath: string): string | undefined => {
  let decoded: string;
  try {
    decoded = decodeURIComponent(requestPath);
  } catch {
    return undefined;
  }
  if (decoded.includes('\0')) return undefined;
  const file = path.resolve(folder, `.${decoded.endsWith('/') ? `${decoded}index.html` : decoded}`);
  return file.startsWith(`${path.resolve(folder)}${path.sep}`) ? file : undefined;
};

const notFound = (response: ServerResponse): void => {
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found\n');
};

const sendFile = async (response: ServerResponse, file: string): Promise<void> => {
  const info = await stat(file).catch(() => undefined);
  if (info === undefined || !info.isFile()) return notFound(response);
  response.writeHead(200, {
    'content-type': TYPES.get(path.extname(file)) ?? 'application/octet-stream',
    'content-length': info.size,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
  });
  createReadStream(file).pipe(response);
};

const EVENTS_PATH = '/events';
/** A comment this often keeps the stream from looking dead. */
const KEEP_ALIVE_MS = 15_000;
/** What a browser that reads too slowly may leave lying here, in bytes; then events are left out for it. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
const streamEvents = (response: ServerResponse, bus: Pick<BusWatch, 'subscribe'>): void => {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.write(': the bus, live\n\n');
  const leave = bus.subscribe((event) => {
    if (response.writableLength > MAX_BUFFERED_BYTES) return;
    response.write(
      `${event
        .split(/\r\n|\r|\n/)
        .map((line) => `data: ${line}\n`)
        .join('')}\n`,
    );
  });
  const keepAlive = setInterval(() => response.write(':\n\n'), KEEP_ALIVE_MS);
  response.once('close', () => {
    clearInterval(keepAlive);
    leave();
  });
};

const sendConfig = (response: ServerResponse, { config, bus }: PageContent): void => {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(bus === undefined ? config : { ...config, eventsUrl: EVENTS_PATH }));
};

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  content: PageContent,
): Promise<void> => {
  const { folder, bus } = content;
  const { pathname } = new URL(request.url ?? '/', 'http://page');
  if (pathname === '/config.json') return sendConfig(response, content);
  if (pathname === EVENTS_PATH && bus !== undefined) return streamEvents(response, bus);
  const file = fileOfPath(folder, pathname);
  return file === undefined ? notFound(response) : sendFile(response, file);
};

const listen = (server: ReturnType<typeof createServer>, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });

/** `port` 0 takes a free one; a port that is taken falls back to a free one, for the page has no fixed address. */
export const startPageServer = async (content: PageContent, port: number): Promise<PageServer> => {
  const server = createServer((request, response) => {
    answer(request, response, content).catch(() => response.destroy());
  });
  const taken = await listen(server, port).catch(() => listen(server, 0));
  return {
    url: `http://127.0.0.1:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
