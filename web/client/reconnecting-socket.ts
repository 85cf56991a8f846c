/** One WebSocket that comes back by itself until it is stopped. */
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

export const createReconnectingSocket = (options: ReconnectingSocketOptions): ReconnectingSocket => {
  const { timing, onState, onMessage } = options;
  let state: SocketState = 'idle';
  let socket: SocketLike | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  /** Each try has its own number: what a given-up socket still says is not heard. */
  let run = 0;

  const setState = (next: SocketState): void => {
    if (state === next) return;
    state = next;
    onState(next);
  };

  const discard = (): void => {
    run += 1;
    clearTimeout(timer);
    timer = undefined;
    const old = socket;
    socket = undefined;
    old?.close();
  };

  const failed = (): void => {
    discard();
    setState('reconnecting');
    timer = setTimeout(connect, reconnectDelay(failures, timing, options.random));
    failures += 1;
  };

  const listen = (opened: SocketLike, own: number): void => {
    const current = (act: (event: unknown) => void) => (event: unknown) => {
      if (own === run) act(event);
    };
    opened.addEventListener(
      'open',
      current(() => {
        clearTimeout(timer);
        setState('open');
      }),
    );
    opened.addEventListener(
      'message',
      current((event) => {
        // Not at `open`: a server that accepts and hangs up at once must still be met with growing patience.
        failures = 0;
        onMessage((event as { readonly data?: unknown }).data);
      }),
    );
    opened.addEventListener('error', current(failed));
    opened.addEventListener('close', current(failed));
  };

  const open = async (own: number): Promise<void> => {
    const url = await options.url();
    if (own !== run) return;
    if (options.WebSocket === undefined) throw new Error('there is no WebSocket here');
    socket = new options.WebSocket(url);
    listen(socket, own);
  };

  function connect(): void {
    discard();
    const own = run;
    setState(failures === 0 ? 'connecting' : 'reconnecting');
    timer = setTimeout(failed, timing.connectTimeoutMs);
    open(own).catch(() => {
      if (own === run) failed();
    });
  }

  return {
    get state() {
      return state;
    },
    start() {
      if (state === 'idle') connect();
    },
    stop() {
      discard();
      failures = 0;
      setState('idle');
    },
    send(text) {
      if (state !== 'open' || socket === undefined) return false;
      try {
        socket.send(text);
        return true;
      } catch {
        // It is closing and its `close` event follows.
        return false;
      }
    },
    restart() {
      if (state !== 'idle') failed();
    },
    retryNow() {
      if (state === 'reconnecting') connect();
    },
  };
};
