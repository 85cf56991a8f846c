/** `/healthz` and `/metrics`, on loopback only. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface HealthReport {
  readonly healthy: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const respond = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
};

/** `port` 0 = any free one. Rejects when the port is taken. */
export const startHealthServer = async (
  port: number,
  report: () => HealthReport,
  metrics: () => string,
): Promise<HealthServer> => {
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET') return respond(response, 405, 'text/plain', 'GET only\n');
    if (path === '/metrics') return respond(response, 200, 'text/plain; version=0.0.4', metrics());
    if (path !== '/healthz') return respond(response, 404, 'text/plain', 'not found\n');
    const { healthy, body } = report();
    return respond(response, healthy ? 200 : 503, 'application/json', JSON.stringify(body));
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
