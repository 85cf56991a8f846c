/** Tickets for the socket, for a client that has no token of its own. */
import { createTaskApi, type Token } from './task-api.ts';
import { DEFAULT_TIMING } from './timing.ts';

export interface TicketOptions {
  readonly apiUrl: string;
  readonly token?: Token | undefined;
  readonly fetch?: typeof fetch | undefined;
}

/** For the client's option `ticket`: fetches one with POST /api/v1/tickets at each call. */
export const ticketsFrom = (options: TicketOptions): (() => Promise<string>) =>
  createTaskApi({ ...options, ...DEFAULT_TIMING, signal: new AbortController().signal }).createTicket;
