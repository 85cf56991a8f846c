import { routeHandler, type RouteHandler } from '../adapters/web-socket/route-handler.ts';
import type { Logger } from '../core/ports.ts';
import { subscribe, type SubscribeDependencies } from '../core/subscription/subscribe.ts';

/** Routes `subscribe` and `$default`: anything but a subscribe request is answered with an `error` push. */
export const createSubscribeHandler = (
  dependencies: SubscribeDependencies & { readonly logger: Logger },
): RouteHandler =>
  routeHandler(dependencies.logger, async ({ connectionId, body }) => {
    await subscribe(body, connectionId, dependencies);
    return 200;
  });
