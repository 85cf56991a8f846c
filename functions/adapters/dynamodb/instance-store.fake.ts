/** Instances in memory, under the same conditions as the table. */
import type { Clock } from '../../core/ports.ts';
import type { Instance, InstanceStore, PoolState } from '../../core/scaling/ports.ts';

export interface FakeInstanceStore extends InstanceStore {
  all(): readonly Instance[];
}

const KEEP_MS = 3 * 86_400_000;

export const createFakeInstanceStore = ({ clock }: { readonly clock: Clock }): FakeInstanceStore => {
  const rows = new Map<string, Instance>();
  const pools = new Map<string, PoolState>();
  const keyOf = ({ pool, workerId }: Pick<Instance, 'pool' | 'workerId'>): string => `${pool}#${workerId}`;
  const stateOf = (pool: string): PoolState => pools.get(pool) ?? { revision: 0, holds: {} };
  const all = (): readonly Instance[] =>
    [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, instance]) => instance);
  return {
    all,
    list: async () =>
      all().filter(({ endedAt }) => endedAt === null || Date.parse(endedAt) >= clock.now() - KEEP_MS),
    create: async (instance) => {
      if (rows.has(keyOf(instance))) return false;
      rows.set(keyOf(instance), instance);
      return true;
    },
    change: async (key, patch, from) => {
      const before = rows.get(keyOf(key));
      if (before === undefined || !from.includes(before.condition) || Object.keys(patch).length === 0)
        return false;
      rows.set(keyOf(key), { ...before, ...patch });
      return true;
    },
    discard: async (key) => rows.get(keyOf(key))?.condition === 'launching' && rows.delete(keyOf(key)),
    pool: async (pool) => stateOf(pool),
    claim: async (pool, revision) => {
      const state = stateOf(pool);
      if (state.revision !== revision) return false;
      pools.set(pool, { ...state, revision: revision + 1 });
      return true;
    },
    hold: async (pool, providerId, hold) => {
      const state = stateOf(pool);
      pools.set(pool, { ...state, holds: { ...state.holds, [providerId]: hold } });
    },
  };
};
