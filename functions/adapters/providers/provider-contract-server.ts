/** The HTTP part of a provider's fake: a real server that can fail in each way that a provider was seen to fail. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type ProviderFault =
  | 'unauthorized'
  | 'forbidden'
  /** 429 with `Retry-After: 7`. */
  | 'rateLimited'
  | 'serverError'
  | 'badGateway'
  /** 200 with the page of a proxy. */
  | 'html'
  | 'badJson'
  /** 200 with `null`, and with a list of what nobody asked for. */
  | 'nullJson'
  | 'wrongShape'
  /** 307 to another server, which counts who comes. */
  | 'redirect'
  /** The connection ends before the answer, and within its body. */
  | 'reset'
  | 'cut'
  /** No answer; and a head whose body never ends. The connection stays open. */
  | 'silence'
  | 'stall';

export interface FakeRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface FaultyServerOptions {
  /** What the provider answers when all is well. */
  readonly answer: (request: FakeRequest) => FakeAnswer;
  /** Whether this request is the one that makes an instance. */
  readonly isLaunch: (request: FakeRequest) => boolean;
  /** The provider's own form of a fault, where it has one; else a bare status with `{"message"}`. */
  readonly faultAnswer?: (fault: ProviderFault, message: string) => FakeAnswer | undefined;
  /** A unix socket to listen on, instead of a loopback port. */
  readonly socketPath?: string;
}

interface Armed {
  readonly fault: ProviderFault;
  readonly isMeant: (request: FakeRequest) => boolean;
  readonly takesEffect: boolean;
  times: number;
}

export interface FaultyServer {
  /** `http://127.0.0.1:port`; empty for a unix socket. */
  readonly url: string;
  /** Everything that was asked, oldest first. */
  readonly requests: readonly FakeRequest[];
  /** The next `times` requests (1 by default) end in that fault and have no effect. */
  failNext(fault: ProviderFault, times?: number): void;
  /** The next request that makes an instance ends in that fault, having made it or not. */
  failLaunch(fault: ProviderFault, takesEffect: boolean): void;
  /** The next request whose path has that part ends in that fault and has no effect. */
  failPath(part: string, fault: ProviderFault): void;
  /** No more faults; those whom silence holds are let go. */
  heal(): void;
  /** Requests that are held now by `silence` and `stall`. */
  held(): number;
  /** Requests at the place that redirects lead to. */
  redirectsFollowed(): number;
  stop(): Promise<void>;
}

const STATUS: Partial<Record<ProviderFault, number>> = {
  unauthorized: 401,
  forbidden: 403,
  rateLimited: 429,
  serverError: 500,
  badGateway: 502,
};
const OK_BODY: Partial<Record<ProviderFault, string>> = {
  html: '<!doctype html><title>Please wait</title>',
  badJson: '{"id": "abc", ',
  nullJson: 'null',
  wrongShape: '[[1], "x", {"__proto__": {"polluted": true}}]',
};

/** Says back all that it was told, as careless servers do: what must not be repeated must be taken out. */
const echoOf = ({ path, headers, body }: FakeRequest): string =>
  `refused ${path} ${JSON.stringify(headers)} ${body}`;

const plainAnswer = (fault: ProviderFault, message: string): FakeAnswer => {
  const status = STATUS[fault];
  if (status === undefined) return { status: 200, body: OK_BODY[fault] ?? '' };
  return {
    status,
    headers: { 'content-type': 'application/json', ...(status === 429 ? { 'retry-after': '7' } : {}) },
    body: JSON.stringify({ message }),
  };
};

const write = (response: ServerResponse, { status, headers = {}, body = '' }: FakeAnswer): void =>
  void response.writeHead(status, headers).end(body);

const listen = async (server: Server, socketPath?: string): Promise<string> => {
  if (socketPath === undefined) server.listen(0, '127.0.0.1');
  else server.listen(socketPath);
  await once(server, 'listening');
  return socketPath === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : '';
};

const close = async (server: Server): Promise<void> => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
};

/** Ends a request in the fault's way. `hold` keeps what shall stay open. */
const failWith = (
  fault: ProviderFault,
  response: ServerResponse,
  hold: () => void,
  plain: FakeAnswer,
  elsewhere: string,
): void => {
  if (fault === 'reset') return void response.destroy();
  if (fault === 'silence') return hold();
  if (fault === 'redirect') return write(response, { status: 307, headers: { location: elsewhere } });
  if (fault !== 'cut' && fault !== 'stall') return write(response, plain);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"id": "abc"', () => (fault === 'cut' ? response.destroy() : hold()));
};

const takeFault = (armed: Armed[], request: FakeRequest): Armed | undefined => {
  const found = armed.find(({ isMeant, times }) => times > 0 && isMeant(request));
  if (found !== undefined) found.times -= 1;
  return found;
};

export const startFaultyServer = async (options: FaultyServerOptions): Promise<FaultyServer> => {
  const requests: FakeRequest[] = [];
  const held = new Set<ServerResponse>();
  const armed: Armed[] = [];
  let redirectsFollowed = 0;
  const elsewhere = createServer((_, response) => {
    redirectsFollowed += 1;
    response.end('{}');
  });
  const elsewhereUrl = await listen(elsewhere);
  const arm = (fault: Pick<Armed, 'fault' | 'isMeant'> & Partial<Armed>): void =>
    void armed.push({ times: 1, takesEffect: false, ...fault });
  const respond = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers } = incoming;
    const request = { method, path, headers, body: await text(incoming) };
    requests.push(request);
    const found = takeFault(armed, request);
    if (found === undefined) return write(response, options.answer(request));
    if (found.takesEffect) options.answer(request);
    const message = echoOf(request);
    const plain = options.faultAnswer?.(found.fault, message) ?? plainAnswer(found.fault, message);
    const hold = (): void => {
      held.add(response);
      response.once('close', () => held.delete(response));
    };
    failWith(found.fault, response, hold, plain, elsewhereUrl);
  };
  const server = createServer((incoming, response) => {
    // A client that gives up within its body is no defect of the server.
    respond(incoming, response).catch(() => response.destroy());
  });
  const url = await listen(server, options.socketPath);
  return {
    url,
    requests,
    failNext: (fault, times = 1) => arm({ fault, times, isMeant: () => true }),
    failLaunch: (fault, takesEffect) => arm({ fault, takesEffect, isMeant: options.isLaunch }),
    failPath: (part, fault) => arm({ fault, isMeant: ({ path }) => path.includes(part) }),
    heal: () => {
      armed.length = 0;
      for (const response of held) response.destroy();
    },
    held: () => held.size,
    redirectsFollowed: () => redirectsFollowed,
    stop: async () => void (await Promise.all([close(server), close(elsewhere)])),
  };
};
