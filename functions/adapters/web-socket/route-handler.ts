/** The edge of the WebSocket API's routes ($connect, $disconnect, subscribe, $default). */
import type { Logger } from '../../core/ports.ts';

export interface RouteEvent {
  readonly requestContext: { readonly connectionId: string };
  /** Of the handshake: only $connect has it. */
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null | undefined;
  /** Of the handshake. */
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  readonly body?: string | undefined;
}

export interface RouteRequest {
  readonly connectionId: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string | undefined;
}

export type RouteHandler = (event: RouteEvent) => Promise<{ readonly statusCode: number }>;

/** Wraps one route: 200 when done, 500 (and one log line) for everything unforeseen. */
export const routeHandler =
  (logger: Logger, route: (request: RouteRequest) => Promise<number>): RouteHandler =>
  async (event) => {
    const { connectionId } = event.requestContext;
    try {
      const query = event.queryStringParameters ?? {};
      const headers = event.headers ?? {};
      return { statusCode: await route({ connectionId, query, headers, body: event.body }) };
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      logger.error('socket.failed', { connectionId, reason });
      return { statusCode: 500 };
    }
  };
