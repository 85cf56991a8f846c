import { routeHandler, type RouteHandler } from '../adapters/web-socket/route-handler.ts';
import { subscribe, type SubscribeDependencies } from '../core/subscription/subscribe.ts';

/** Routes `subscribe` and `$default` (`unsubscribe`, `ping`): anything else is answered with an `error` push. */
export const createSubscribeHandler = (dependencies: SubscribeDependencies): RouteHandler =>
  routeHandler(dependencies.logger, async ({ connectionId, body }) => {
    await subscribe(body, connectionId, dependencies);
    return 200;
  });
