/** Stands between a page and the live WebSocket API: remembers every frame, and can cut or silence the line. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

/** One connection of a page that got through. */
export interface ProxiedLink {
  /** Texts of the page to the API, in their order. */
  readonly sent: readonly string[];
  /** Texts that reached the page, in their order. */
  readonly received: readonly string[];
}

export interface SocketProxy {
  /** For the page's `webSocketUrl`. */
  readonly url: string;
  /** Oldest first. */
  readonly links: readonly ProxiedLink[];
  /** Ends every connection without a closing handshake, and hangs up on whoever tries anew. */
  cut(): void;
  /** Connections that are tried from now on get through. */
  restore(): void;
  /** The connections of now stay open, and not a word passes over them any more, in either direction. */
  silence(): void;
  close(): Promise<void>;
}

interface Link {
  readonly sent: string[];
  readonly received: string[];
  silent: boolean;
}

/** A silent peer answers no closing handshake, so only the one that still can be told is told. */
const endTogether = (page: WebSocket, api: WebSocket): void => {
  page.once('close', () => api.terminate());
  api.once('close', () => page.terminate());
  for (const socket of [page, api]) socket.on('error', () => socket.terminate());
};

const forward = (from: WebSocket, to: WebSocket, link: Link, texts: string[]): void => {
  from.on('message', (data: Buffer) => {
    if (link.silent) return;
    texts.push(data.toString('utf8'));
    to.send(data.toString('utf8'));
  });
};

const joined = async (page: WebSocket, address: string): Promise<Link> => {
  // Until the API has taken the connection, nothing of the page's may be lost.
  page.pause();
  const api = new WebSocket(address);
  const link: Link = { sent: [], received: [], silent: false };
  endTogether(page, api);
  forward(page, api, link, link.sent);
  forward(api, page, link, link.received);
  await once(api, 'open');
  page.resume();
  return link;
};

/** @param target the API's own `webSocketUrl`; queries (tickets) are passed on */
export const startSocketProxy = async (target: string): Promise<SocketProxy> => {
  const links: Link[] = [];
  let isCut = false;
  const sockets = new WebSocketServer({ noServer: true });
  const addressOf = ({ url = '' }: IncomingMessage): string => `${target}${new URL(url, target).search}`;
  const endAll = (): void => sockets.clients.forEach((client) => client.terminate());
  const server = createServer((_request, response) => response.writeHead(426).end());
  server.on('upgrade', (request, socket, head) => {
    if (isCut) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (page) => {
      joined(page, addressOf(request)).then(
        (link) => links.push(link),
        () => page.terminate(),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    links,
    cut: () => {
      isCut = true;
      endAll();
    },
    restore: () => {
      isCut = false;
    },
    silence: () => links.forEach((link) => Object.assign(link, { silent: true })),
    close: async () => {
      endAll();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

export interface LinkedJob {
  /** How often the page asked for it. */
  readonly asked: number;
  /** Of each snapshot of it that came, the sequence. */
  readonly snapshots: readonly number[];
}

/** What passed over a link to catch up with a job. */
export const catchingUp = ({ sent, received }: ProxiedLink, jobId: string): LinkedJob => {
  const ofJob = (texts: readonly string[]): Record<string, unknown>[] =>
    texts.map((text) => JSON.parse(text) as Record<string, unknown>).filter((one) => one['jobId'] === jobId);
  return {
    asked: ofJob(sent).filter(({ action }) => action === 'subscribe').length,
    snapshots: ofJob(received)
      .filter(({ type }) => type === 'job_snapshot')
      .map(({ sequence }) => Number(sequence)),
  };
};
