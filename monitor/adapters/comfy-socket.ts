/** One long-lived WebSocket to ComfyUI, opened again for ever. There is never more than one: see `connectOnce`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';

const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 60_000;

/** Loading a model can block ComfyUI's event loop for a long time: the pong timeout is generous. Milliseconds. */
export const PING = { everyMs: 20_000, timeoutMs: 90_000 };
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** A connection that lasted so long was a good one: the next failure starts from the short delay. */
const GOOD_AFTER_MS = 10_000;

export interface SocketListener {
  opened(): void;
  /** Bytes as they came. Must not block: ComfyUI serves its clients one after another. */
  frame(data: Buffer, isBinary: boolean): void;
  closed(code: number): void;
}

export interface ComfySocket {
  /** Replaces the connection; the new one is opened only after the old one is closed. */
  renew(): void;
  /** Settles when the socket is closed for good after its signal was aborted. */
  readonly done: Promise<void>;
}

const asBuffer = (data: RawData): Buffer => {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
};

const FEATURE_FLAGS = JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } });

/** Pings while open; a peer that answers none for long is terminated. Returns what stops it. */
const watchPongs = (socket: WebSocket, ping: typeof PING): (() => void) => {
  let heardAt = performance.now();
  const heard = (): void => {
    heardAt = performance.now();
  };
  socket.on('pong', heard).on('message', heard);
  const timer = setInterval(() => {
    if (performance.now() - heardAt > ping.timeoutMs) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, ping.everyMs);
  return () => clearInterval(timer);
};

/**
 * Resolves with whether the connection was ever open, once it is entirely closed. Two sockets of one clientId would
 * make ComfyUI forget the newer one when the older one closes, so nobody opens another before that.
 */
const connectOnce = (
  url: string,
  signal: AbortSignal,
  listener: SocketListener,
  ping: typeof PING,
): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      followRedirects: false,
    });
    const stopPings = watchPongs(socket, ping);
    const abort = (): void => socket.terminate();
    let wasOpen = false;
    signal.addEventListener('abort', abort, { once: true });
    socket.on('open', () => {
      wasOpen = true;
      socket.send(FEATURE_FLAGS, () => undefined);
      listener.opened();
    });
    socket.on('message', (data, isBinary) => listener.frame(asBuffer(data), isBinary));
    // Every error is followed by `close`, which is where it is dealt with.
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      stopPings();
      signal.removeEventListener('abort', abort);
      if (wasOpen) listener.closed(code);
      resolve(wasOpen);
    });
    if (signal.aborted) abort();
  });

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
};

/** Full jitter: many monitors of one host do not come back in step. `random` yields [0, 1). */
export const reconnectDelay = (tries: number, random: () => number): number =>
  random() * Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(tries, 10), BACKOFF_MAX_MS);

/** Connects to `url` again and again until `signal` is aborted. */
export const keepConnected = (
  url: string,
  signal: AbortSignal,
  listener: SocketListener,
  random: () => number,
  ping: typeof PING = PING,
): ComfySocket => {
  let current = new AbortController();
  const run = async (): Promise<void> => {
    for (let tries = 0; !signal.aborted; tries += 1) {
      current = new AbortController();
      const since = performance.now();
      const wasOpen = await connectOnce(url, AbortSignal.any([signal, current.signal]), listener, ping);
      if (wasOpen && performance.now() - since > GOOD_AFTER_MS) tries = 0;
      await pause(reconnectDelay(tries, random), signal);
    }
  };
  return { renew: () => current.abort(), done: run() };
};
