import { pushMessageSchema, type PushMessage } from '../../../shared-types/index.ts';
import type { Pusher } from '../../core/ports.ts';

export interface FakePusher extends Pusher {
  readonly sent: { readonly connectionId: string; readonly message: PushMessage }[];
  /** Connections that answer 410. */
  readonly gone: Set<string>;
  /** Connections whose sends reject. */
  readonly broken: Set<string>;
}

/** Keeps what was pushed, each held against its schema. */
export const createFakePusher = (): FakePusher => {
  const sent: FakePusher['sent'] = [];
  const gone = new Set<string>();
  const broken = new Set<string>();
  return {
    sent,
    gone,
    broken,
    send: async (connectionId, message) => {
      if (broken.has(connectionId)) throw new Error('the connection does not take messages');
      if (gone.has(connectionId)) return 'gone';
      sent.push({ connectionId, message: pushMessageSchema.parse(message) });
      return 'sent';
    },
  };
};
