/** One WebSocket that comes back by itself, and is replaced before its server would end it, until it is stopped. */
import { reconnectDelay, type ClientTiming } from './timing.ts';

/** What is used of a WebSocket: the browser's, Node's own and `ws` all fit. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: unknown) => void): void;
}
export type WebSocketConstructor = new (url: string) => SocketLike;

/** `idle`: not wanted. `reconnecting`: waiting, or trying again, after a failure. */
export type SocketState = 'idle' | 'connecting' | 'open' | 'reconnecting';

export interface ReconnectingSocketOptions {
  /** Asked before each handshake: a ticket opens the socket once. */
  readonly url: () => Promise<string>;
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly timing: ClientTiming;
  readonly random: () => number;
  /** Also told `open` when a connection takes the place of an open one. */
  readonly onState: (state: SocketState) => void;
  readonly onMessage: (data: unknown) => void;
}

export interface ReconnectingSocket {
  readonly state: SocketState;
  start(): void;
  stop(): void;
  /** False when it is not open. */
  send(text: string): boolean;
  /** Drops the connection, which is believed dead, and opens a new one. */
  restart(): void;
  /** Does not wait out the backoff: the network is known to be back. */
  retryNow(): void;
}

type Timer = ReturnType<typeof setTimeout>;

interface Link {
  socket?: SocketLike;
  /** Until it opens: when it is given up. From then on: when it is replaced. */
  timer?: Timer;
}

export const createReconnectingSocket = (options: ReconnectingSocketOptions): ReconnectingSocket => {
  const { timing, onState, onMessage, WebSocket } = options;
  /** All that are not given up: what another still says is not heard. */
  const links = new Set<Link>();
  let current: Link | undefined;
  let state: SocketState = 'idle';
  let retry: Timer | undefined;
  let failures = 0;

  const setState = (next: SocketState): void => {
    state = next;
    onState(next);
  };

  const end = (link: Link): void => {
    links.delete(link);
    clearTimeout(link.timer);
    link.socket?.close();
  };

  const endAll = (): void => {
    clearTimeout(retry);
    for (const link of links) end(link);
  };

  const failed = (): void => {
    endAll();
    setState('reconnecting');
    retry = setTimeout(connect, reconnectDelay(failures, timing, options.random));
    failures += 1;
  };

  const onOpen = (link: Link): void => {
    clearTimeout(link.timer);
    // Its successor opens and subscribes while it still serves; where that fails, it is tried again.
    const renew = (): void => {
      link.timer = setTimeout(renew, timing.connectTimeoutMs * 6);
      open();
    };
    link.timer = setTimeout(renew, timing.renewAfterMs * (1 - options.random() / 10));
    current = link;
    setState('open');
    // Only now, when all is asked for anew: the snapshots that come first bring what fell in between.
    for (const other of links) if (other !== link) end(other);
  };

  const onHeard = (_link: Link, event: unknown): void => {
    // Not at `open`: a server that accepts and hangs up at once must still be met with growing patience.
    failures = 0;
    onMessage((event as { readonly data?: unknown }).data);
  };

  function open(): Link {
    const link: Link = {};
    links.add(link);
    const ifAlive =
      (act: (link: Link, event: unknown) => void) =>
      (event?: unknown): void => {
        if (links.has(link)) act(link, event);
      };
    const lost = ifAlive(() => (link === current ? failed() : end(link)));
    const shake = async (): Promise<void> => {
      const url = await options.url();
      if (!links.has(link)) return;
      // Where there is no such thing this throws, and the task API is polled.
      link.socket = new (WebSocket as WebSocketConstructor)(url);
      link.socket.addEventListener('open', ifAlive(onOpen));
      link.socket.addEventListener('message', ifAlive(onHeard));
      link.socket.addEventListener('error', lost);
      link.socket.addEventListener('close', lost);
    };
    link.timer = setTimeout(lost, timing.connectTimeoutMs);
    shake().catch(lost);
    return link;
  }

  function connect(): void {
    endAll();
    setState(failures === 0 ? 'connecting' : 'reconnecting');
    current = open();
  }

  return {
    get state() {
      return state;
    },
    start() {
      if (state === 'idle') connect();
    },
    stop() {
      endAll();
      failures = 0;
      setState('idle');
    },
    send(text) {
      if (state === 'open') current?.socket?.send(text);
      return state === 'open';
    },
    restart() {
      if (state !== 'idle') failed();
    },
    retryNow() {
      if (state === 'reconnecting') connect();
    },
  };
};
