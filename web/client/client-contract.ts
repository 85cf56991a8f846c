/** What the client offers and what it is given. */
import type { JobListener } from './followed-job.ts';
import type { JobState } from './job-model.ts';
import type { SocketState, WebSocketConstructor } from './reconnecting-socket.ts';
import type { TaskApi, Token } from './task-api.ts';
import type { ClientTiming } from './timing.ts';

/** `polling`: there has been no socket for a while and the task API is asked instead. */
export type Connection = SocketState | 'polling' | 'closed';

/** How often something was met that should be rare; all count from 0 at the start of the client. */
export interface ClientCounters {
  /** Frames that are no push: binary, broken, unknown types. */
  readonly ignored: number;
  /** Pushes about jobs that nobody follows. */
  readonly strangers: number;
  /** Pushes that changed nothing: second deliveries, late ones, after the end. */
  readonly dropped: number;
  readonly gaps: number;
  /** `error` pushes. */
  readonly refusals: number;
}

export interface PipelineClientOptions {
  readonly apiUrl: string;
  readonly webSocketUrl: string;
  /** Sent as bearer to the API; a function is asked each time. It never goes into the address of the socket. */
  readonly token?: Token | undefined;
  /**
   * A one-time ticket for the socket, asked for anew at each handshake. By default one is fetched from the task API
   * where there is a `token`, and none is used otherwise. See `ticketsFrom`.
   */
  readonly ticket?: (() => Promise<string>) | undefined;
  /** Asks for pictures while sampling, where the stage allows them. */
  readonly previews?: boolean | undefined;
  readonly WebSocket?: WebSocketConstructor | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds; only differences matter. */
  readonly now?: (() => number) | undefined;
  /** From 0 up to 1, for the jitter. */
  readonly random?: (() => number) | undefined;
  readonly timing?: Partial<ClientTiming> | undefined;
}

export interface PipelineClient extends Omit<TaskApi, 'createTicket'> {
  /** Calls the listener with each new state, first with the one known now. @throws ClientError when closed */
  follow(jobId: string, listener: JobListener): () => void;
  /** The state of a followed job. */
  getState(jobId: string): JobState | undefined;
  readonly connection: Connection;
  onConnection(listener: (connection: Connection) => void): () => void;
  readonly counters: ClientCounters;
  /** Skips the wait before the next try, for example on the browser's `online` event. */
  reconnectNow(): void;
  /** Closes the socket and ends every timer and request. For good. */
  close(): void;
}
