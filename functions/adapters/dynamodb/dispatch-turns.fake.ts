/** The turn in memory, under the same conditions as the table. */
import { TURN_LEASE_MS, type DispatchTurns } from '../../core/dispatch/turns.ts';
import type { Clock } from '../../core/ports.ts';

export const createFakeDispatchTurns = ({ clock }: { readonly clock: Clock }): DispatchTurns => {
  let wakeUps = 0;
  let held: { readonly holder: string; readonly until: number } | undefined;
  return {
    take: async (holder) => {
      wakeUps += 1;
      if (held !== undefined && held.holder !== holder && held.until >= clock.now()) return undefined;
      held = { holder, until: clock.now() + TURN_LEASE_MS };
      return { holder, wakeUps };
    },
    end: async (turn) => {
      if (held?.holder !== turn.holder || wakeUps !== turn.wakeUps) return false;
      held = undefined;
      return true;
    },
    abandon: async (holder) => {
      if (held?.holder === holder) held = undefined;
    },
  };
};
