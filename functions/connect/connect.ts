import { routeHandler, type RouteHandler } from '../adapters/web-socket/route-handler.ts';
import { redeemTicket } from '../core/identity/issue.ts';
import { isLocalCaller } from '../core/identity/local-caller.ts';
import { LOCAL_USER } from '../core/identity/user-id.ts';
import type { Clock, ConnectionStore, Logger, TicketStore } from '../core/ports.ts';

export interface ConnectDependencies {
  readonly connections: ConnectionStore;
  readonly tickets: TicketStore;
  readonly clock: Clock;
  /** On the stage `local` alone: without a ticket everybody is one user. */
  readonly openAccess: boolean;
  readonly logger: Logger;
}

type Fields = Readonly<Record<string, string | undefined>>;

/**
 * Browsers can't set headers on a WebSocket, and an address ends in logs: so it carries a ticket that opens one
 * connection, and never a token or a key, which are refused whatever else was sent.
 */
const userOf = async ({ ticket, token }: Fields, headers: Fields, dependencies: ConnectDependencies) => {
  if (token !== undefined) return undefined;
  if (ticket !== undefined) return redeemTicket(ticket, dependencies);
  return dependencies.openAccess && isLocalCaller(headers) ? LOCAL_USER : undefined;
};

/** $connect: redeems the ticket and remembers whose connection it is; else the handshake is answered with 401. */
export const createConnectHandler = (dependencies: ConnectDependencies): RouteHandler =>
  routeHandler(dependencies.logger, async ({ connectionId, query, headers }) => {
    const userId = await userOf(query, headers, dependencies);
    if (userId === undefined) {
      const sent = ['token', 'ticket'].find((name) => query[name] !== undefined) ?? 'nothing';
      dependencies.logger.warn('connect.refused', { connectionId, sent });
      return 401;
    }
    await dependencies.connections.create(connectionId, userId);
    return 200;
  });
