/** A server of the outside world: takes callbacks, serves files. */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { selfSigned } from './self-signed.ts';

export interface Received {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  close(): Promise<void>;
}

export interface ReceiverAnswer {
  readonly status: number;
  readonly body?: Uint8Array;
}

/** @param answer says what the request is answered with, given how many came before it */
export const startReceiver = async (
  answer: (request: Received, earlier: number) => ReceiverAnswer,
  { tls = false }: { readonly tls?: boolean } = {},
): Promise<Receiver> => {
  const received: Received[] = [];
  const take = async (request: http.IncomingMessage): Promise<ReceiverAnswer> => {
    const { url: path = '', headers } = request;
    const one = { path, headers, body: (await buffer(request)).toString('utf8') };
    return answer(one, received.push(one) - 1);
  };
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    void take(request).then(({ status, body }) => response.writeHead(status).end(body));
  };
  const server = tls ? https.createServer(selfSigned(), listener) : http.createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    received,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
