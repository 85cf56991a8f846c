/** The edge of the WebSocket API's routes ($connect, $disconnect, subscribe, $default). */
import type { Logger } from '../../core/ports.ts';

export interface RouteEvent {
  readonly requestContext: {
    readonly connectionId: string;
    readonly authorizer?: { readonly principalId?: unknown } | undefined;
  };
  readonly body?: string | undefined;
}

export interface RouteRequest {
  readonly connectionId: string;
  /** `principalId` of the authorizer, or `local` on the stage without one. */
  readonly userId: string | undefined;
  readonly body: string | undefined;
}

export type RouteHandler = (event: RouteEvent) => Promise<{ readonly statusCode: number }>;

const userOf = ({ requestContext: { authorizer } }: RouteEvent): string | undefined => {
  if (authorizer === undefined || authorizer === null) return 'local';
  const { principalId } = authorizer;
  return typeof principalId === 'string' && principalId !== '' && principalId.length <= 128
    ? principalId
    : undefined;
};

/** Wraps one route: 200 when done, 500 (and one log line) for everything unforeseen. */
export const routeHandler =
  (logger: Logger, route: (request: RouteRequest) => Promise<number>): RouteHandler =>
  async (event) => {
    const { connectionId } = event.requestContext;
    try {
      return { statusCode: await route({ connectionId, userId: userOf(event), body: event.body }) };
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      logger.error('socket.failed', { connectionId, reason });
      return { statusCode: 500 };
    }
  };
