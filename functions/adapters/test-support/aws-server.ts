/** A server that answers what a test tells it, for AWS clients of this process; it says what it was asked. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface AwsRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface AwsServer {
  readonly url: string;
  readonly requests: AwsRequest[];
  stop(): Promise<void>;
}

export const startAwsServer = async (
  answer: (request: AwsRequest, count: number) => AwsAnswer | 'silence',
): Promise<AwsServer> => {
  const requests: AwsRequest[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const asked = { method: request.method ?? '', path: request.url ?? '', body };
    requests.push(asked);
    const answered = answer(asked, requests.length);
    if (answered === 'silence') return;
    const { status, headers = {}, body: reply = '' } = answered;
    response.writeHead(status, headers).end(reply);
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  Object.assign(process.env, {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
