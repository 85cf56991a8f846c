import { routeHandler, type RouteHandler } from '../adapters/web-socket/route-handler.ts';
import type { ConnectionStore, Logger } from '../core/ports.ts';

export interface ConnectDependencies {
  readonly connections: ConnectionStore;
  readonly logger: Logger;
}

/** $connect: remembers whose connection it is. */
export const createConnectHandler = ({ connections, logger }: ConnectDependencies): RouteHandler =>
  routeHandler(logger, async ({ connectionId, userId }) => {
    if (userId === undefined) return 401;
    await connections.create(connectionId, userId);
    return 200;
  });
