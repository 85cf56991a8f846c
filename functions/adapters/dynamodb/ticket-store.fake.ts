/** Tickets in memory. */
import type { TicketStore } from '../../core/ports.ts';

export interface FakeTicketStore extends TicketStore {
  readonly tickets: Map<string, { readonly userId: string; readonly validUntil: string }>;
}

export const createFakeTicketStore = (): FakeTicketStore => {
  const tickets: FakeTicketStore['tickets'] = new Map();
  return {
    tickets,
    create: async (secretHash, userId, validUntil) => {
      tickets.set(secretHash, { userId, validUntil });
    },
    redeem: async (secretHash, now) => {
      const ticket = tickets.get(secretHash);
      if (ticket === undefined || ticket.validUntil <= now) return undefined;
      tickets.delete(secretHash);
      return ticket.userId;
    },
  };
};
