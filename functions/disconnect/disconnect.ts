import { routeHandler, type RouteHandler } from '../adapters/web-socket/route-handler.ts';
import type { ConnectionStore, Logger, SubscriptionStore } from '../core/ports.ts';
import { disconnect } from '../core/subscription/subscribe.ts';

export interface DisconnectDependencies {
  readonly connections: ConnectionStore;
  readonly subscriptions: SubscriptionStore;
  readonly logger: Logger;
}

/** $disconnect: best effort on AWS, so connections also expire, and a push to a gone one removes it. */
export const createDisconnectHandler = (dependencies: DisconnectDependencies): RouteHandler =>
  routeHandler(dependencies.logger, async ({ connectionId }) => {
    await disconnect(connectionId, dependencies);
    return 200;
  });
