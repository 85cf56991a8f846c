/** The queues in memory, each in the table's order. */
import type { QueueEntry, QueueStore } from '../../core/ports.ts';
import { queueSortKey } from './queue-key.ts';
import type { FakeShareStore } from './share-store.fake.ts';

export interface FakeQueueStore extends QueueStore {
  /** Of all users, least key first. */
  all(): readonly QueueEntry[];
}

export const createFakeQueueStore = ({ shares }: { readonly shares: FakeShareStore }): FakeQueueStore => {
  const entries = new Map<string, QueueEntry>();
  const sorted = (): readonly (readonly [string, QueueEntry])[] =>
    [...entries.values()]
      .map((entry) => [queueSortKey(entry), entry] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  const idOf = (entry: QueueEntry): string => JSON.stringify([entry.userId, queueSortKey(entry)]);
  return {
    all: () => sorted().map(([, entry]) => entry),
    put: async (entry) => {
      entries.set(idOf(entry), entry);
      shares.markWaiting(entry.userId);
    },
    list: async (userId, limit, after) =>
      sorted()
        .filter(([, entry]) => entry.userId === userId)
        .filter(([key]) => after === undefined || key > queueSortKey(after))
        .slice(0, limit)
        .map(([, entry]) => entry),
    remove: async (entry) => {
      entries.delete(idOf(entry));
    },
    count: async (userId, max) =>
      Math.min(max, [...entries.values()].filter((entry) => entry.userId === userId).length),
  };
};
