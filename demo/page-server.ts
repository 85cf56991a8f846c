/** Serves the built page and its `config.json` on loopback. The template does not deploy the page. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';

export interface PageConfig {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
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

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  config: PageConfig,
): Promise<void> => {
  const { pathname } = new URL(request.url ?? '/', 'http://page');
  if (pathname === '/config.json') {
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(config));
    return;
  }
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
export const startPageServer = async (
  folder: string,
  config: PageConfig,
  port: number,
): Promise<PageServer> => {
  const server = createServer((request, response) => {
    answer(request, response, folder, config).catch(() => response.destroy());
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
