/**
 * The sockets, and the one loop that feeds them all in turn: a client that stops reading holds up everybody, and two
 * sockets with one client id leave the newer one deaf when the older one closes. Both are true of the real thing.
 */
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { dumps, isJsonObject, parseJson } from './python-json.ts';

export const FEATURES = { supports_preview_metadata: true, max_upload_size: 104_857_600 };

/** null sends to every socket; otherwise to the socket of that client, if there is one when the turn comes. */
export type Receiver = string | null;

interface Parcel {
  readonly payload: string | Buffer;
  readonly to: Receiver;
}

export interface SocketHubOptions {
  readonly queueRemaining: () => number;
  /** The display id of the running node if its prompt belongs to this client, else null. */
  readonly runningNodeOf: (clientId: string) => string | null;
  readonly log: (event: string, details?: object) => void;
}

export class SocketHub {
  private readonly options: SocketHubOptions;
  private readonly sockets = new Map<string, WebSocket>();
  private readonly wantsMetadata = new Map<string, boolean>();
  private readonly open = new Set<WebSocket>();
  private parcels: Parcel[] = [];
  private pumping = false;
  private stalled = false;

  constructor(options: SocketHubOptions) {
    this.options = options;
  }

  /** @param clientId empty or null: one is made up. */
  accept(socket: WebSocket, clientId: string | null): void {
    const sid = clientId ? clientId : randomUUID().replaceAll('-', '');
    this.sockets.set(sid, socket);
    this.wantsMetadata.delete(sid);
    this.open.add(socket);
    this.greet(socket, sid);
    this.listen(socket, sid);
  }

  private greet(socket: WebSocket, sid: string): void {
    sendNow(socket, 'status', { status: this.status(), sid });
    const node = this.options.runningNodeOf(sid);
    if (node !== null) sendNow(socket, 'executing', { node });
  }

  private listen(socket: WebSocket, sid: string): void {
    let first = true;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) return;
      if (first) this.negotiate(socket, sid, data.toString('utf8'));
      first = false;
    });
    socket.on('error', (error) => this.options.log('socketError', { sid, message: error.message }));
    socket.on('close', () => {
      this.open.delete(socket);
      this.sockets.delete(sid);
      this.wantsMetadata.delete(sid);
    });
  }

  private negotiate(socket: WebSocket, sid: string, text: string): void {
    const message = readMessage(text);
    if (!isJsonObject(message) || message['type'] !== 'feature_flags') return;
    const flags = isJsonObject(message['data']) ? message['data'] : {};
    this.wantsMetadata.set(sid, flags['supports_preview_metadata'] === true);
    sendNow(socket, 'feature_flags', FEATURES);
  }

  get openSockets(): number {
    return this.open.size;
  }

  private status(): object {
    return { exec_info: { queue_remaining: this.options.queueRemaining() } };
  }

  /** True when this client asked for previews that say which node they belong to. */
  takesPreviewMetadata(clientId: Receiver): boolean {
    return clientId !== null && this.wantsMetadata.get(clientId) === true;
  }

  /** False when a frame for this receiver would reach nobody, so that it need not be made. */
  hasReceiver(to: Receiver): boolean {
    return to === null ? this.sockets.size > 0 : this.sockets.has(to);
  }

  broadcastStatus(): void {
    this.send('status', { status: this.status() }, null);
  }

  send(type: string, data: unknown, to: Receiver): void {
    this.post({ payload: dumps({ type, data }), to });
  }

  sendBinary(payload: Buffer, to: Receiver): void {
    this.post({ payload, to });
  }

  private post(parcel: Parcel): void {
    this.parcels.push(parcel);
    if (!this.pumping) void this.pump();
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    while (!this.stalled) {
      const batch = this.parcels;
      this.parcels = [];
      if (batch.length === 0) break;
      for (const [index, parcel] of batch.entries()) {
        if (this.stalled) {
          this.parcels = [...batch.slice(index), ...this.parcels];
          break;
        }
        await this.deliver(parcel);
      }
    }
    this.pumping = false;
  }

  private async deliver(parcel: Parcel): Promise<void> {
    for (const socket of this.receivers(parcel.to)) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      await new Promise<void>((resolve) => socket.send(parcel.payload, () => resolve()));
    }
  }

  private receivers(to: Receiver): WebSocket[] {
    if (to === null) return [...this.sockets.values()];
    const socket = this.sockets.get(to);
    return socket ? [socket] : [];
  }

  /** Holds back all frames, or lets them flow again. New sockets still get their first one. */
  stall(on: boolean): void {
    this.stalled = on;
    if (!on && !this.pumping) void this.pump();
  }

  /** Cuts every connection without a closing handshake: the other side sees 1006. */
  dropAll(): void {
    for (const socket of this.open) socket.terminate();
  }

  /** Cuts every connection and forgets what was to be sent. */
  reset(): void {
    this.parcels = [];
    this.stalled = false;
    this.dropAll();
  }
}

function sendNow(socket: WebSocket, type: string, data: unknown): void {
  socket.send(dumps({ type, data }), () => undefined);
}

function readMessage(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}
