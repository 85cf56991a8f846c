/** Plain HTTP servers on free ports of 127.0.0.1, closed by `stopServers`. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const servers: Server[] = [];

/** @returns its base URL */
export const listen = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

export const stopServers = async (): Promise<void> => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
};

/** A base URL at which nobody listens. */
export const closedEndpoint = async (): Promise<string> => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
};

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server that keeps what it received and answers `[status, body, headers]` once it has it all. */
export const recording = async (
  answer: (
    request: Received,
  ) => readonly [number, string | Buffer, Readonly<Record<string, string | number>>?],
): Promise<{ readonly endpoint: string; readonly received: readonly Received[] }> => {
  const received: Received[] = [];
  const endpoint = await listen((request, response) => {
    const reply = async (): Promise<void> => {
      const { method = '', url: path = '', headers } = request;
      const got = { method, path, headers, body: await text(request) };
      received.push(got);
      const [status, body, more] = answer(got);
      response.writeHead(status, more).end(body);
    };
    // A request that breaks off is no answer's business.
    reply().catch(() => response.destroy());
  });
  return { endpoint, received };
};
