import type { WebSocket } from 'ws';
import type { ApiStage, GatewayLimits } from './api-model.ts';
import { FrameLimit } from './frame-limit.ts';

/** What is known of a client from its handshake on. */
export interface ConnectionFacts {
  readonly connectionId: string;
  readonly stage: ApiStage;
  readonly connectedAt: number;
  readonly sourceIp: string;
  readonly userAgent: string | undefined;
  /** What the authorizer said, repeated in every event of the connection. */
  readonly authorizer: Readonly<Record<string, unknown>> | undefined;
}

export interface ConnectionEvents {
  /** One whole text message. */
  message(text: string): void;
  /** Called exactly once. */
  closed(code: number, reason: string): void;
}

export type SendResult = 'sent' | 'gone' | 'overflow';

/** One open WebSocket with the limits of API Gateway: size, idle time, age, and unsent bytes. */
export class WebSocketConnection {
  readonly facts: ConnectionFacts;
  readonly #socket: WebSocket;
  readonly #limits: GatewayLimits;
  readonly #now: () => number;
  readonly #timers = new Map<'idle' | 'age' | 'grace', NodeJS.Timeout>();
  #lastActiveAt: number;
  #endedBy: { readonly code: number; readonly reason: string } | undefined;

  constructor(facts: ConnectionFacts, socket: WebSocket, limits: GatewayLimits, now: () => number) {
    this.facts = facts;
    this.#socket = socket;
    this.#limits = limits;
    this.#now = now;
    this.#lastActiveAt = now();
  }

  /** False from the moment either side ends it, before the closing handshake is done. */
  get isOpen(): boolean {
    return this.#endedBy === undefined && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Milliseconds since the epoch of the last frame in either direction. */
  get lastActiveAt(): number {
    return this.#lastActiveAt;
  }

  /** Starts listening. `raw` is the TCP stream under the socket, watched for frames that are too long. */
  start(raw: NodeJS.ReadableStream, events: ConnectionEvents): void {
    const frames = new FrameLimit(this.#limits.webSocketFrameBytes);
    raw.prependListener('data', (chunk: Buffer) => {
      if (!this.#endedBy && !frames.accepts(chunk)) this.end(1009, 'Frame too long');
    });
    this.#socket.on('message', (data, isBinary) => this.#receive(data, isBinary, events));
    this.#socket.on('ping', () => this.#touch());
    this.#socket.on('pong', () => this.#touch());
    this.#socket.on('error', (error) => this.#noteFailure(error));
    this.#socket.once('close', (code, reason) => this.#closed(code, reason.toString(), events));
    this.#arm('age', this.#limits.webSocketMaxAgeMs, () => this.end(1001, 'Going away'));
    this.#armIdle(this.#limits.webSocketIdleMs);
  }

  /** Queues a text message and returns at once: a slow client never holds its senders up. */
  send(text: string | Buffer): SendResult {
    if (!this.isOpen) return 'gone';
    if (this.#socket.bufferedAmount > this.#limits.webSocketBufferedBytes) return 'overflow';
    this.#socket.send(text, { binary: false });
    this.#touch();
    return 'sent';
  }

  /** Closes with a handshake, and without one when the client does not answer in time. Idempotent. */
  end(code: number, reason: string): void {
    if (this.#endedBy) return;
    this.#endedBy = { code, reason };
    this.#socket.close(code, reason);
    this.#arm('grace', this.#limits.closeGraceMs, () => this.#socket.terminate());
  }

  #receive(data: unknown, isBinary: boolean, events: ConnectionEvents): void {
    if (this.#endedBy) return;
    this.#touch();
    if (isBinary) this.end(1003, 'Binary frames are not supported');
    else if (Buffer.isBuffer(data)) events.message(data.toString('utf8'));
  }

  #noteFailure(error: Error & { code?: unknown }): void {
    if (this.#endedBy) return;
    const tooLong = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
    const badText = error.code === 'WS_ERR_INVALID_UTF8';
    const fromProtocol = typeof error.code === 'string' && error.code.startsWith('WS_ERR_');
    const code = tooLong ? 1009 : badText ? 1007 : fromProtocol ? 1002 : 1006;
    this.#endedBy = { code, reason: fromProtocol ? error.message : '' };
    this.#arm('grace', this.#limits.closeGraceMs, () => this.#socket.terminate());
  }

  #closed(code: number, reason: string, events: ConnectionEvents): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    const ended = this.#endedBy ?? {
      code,
      reason: code === 1005 ? 'Client-side close frame status not set' : reason,
    };
    this.#endedBy = ended;
    events.closed(ended.code, ended.reason);
  }

  #touch(): void {
    this.#lastActiveAt = this.#now();
  }

  #armIdle(delayMs: number): void {
    this.#arm('idle', delayMs, () => {
      const left = this.#limits.webSocketIdleMs - (this.#now() - this.#lastActiveAt);
      if (left <= 0) this.end(1001, 'Going away');
      else this.#armIdle(left);
    });
  }

  #arm(name: 'idle' | 'age' | 'grace', delayMs: number, action: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(action, delayMs));
  }
}
