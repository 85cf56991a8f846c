/** The queues in memory, each in the table's order. */
import type { QueueEntry, QueueStore } from '../../core/ports.ts';
import { queueSortKey } from './queue-key.ts';
import type { FakeShareStore } from './share-store.fake.ts';

export interface FakeQueueStore extends QueueStore {
  /** Of all users, least key first. */
  all(): readonly QueueEntry[];
}

interface Kept {
  readonly key: string;
  readonly entry: QueueEntry;
}

export const createFakeQueueStore = ({ shares }: { readonly shares: FakeShareStore }): FakeQueueStore => {
  // Kept in order, since what is asked again and again by dispatchers in a race should not be sorted each time.
  const queues = new Map<string, Kept[]>();
  const of = (userId: string): readonly Kept[] => queues.get(userId) ?? [];
  /** Where that key is, or would be. */
  const placeOf = (queue: readonly Kept[], key: string): number => {
    const place = queue.findIndex((kept) => kept.key >= key);
    return place === -1 ? queue.length : place;
  };
  return {
    all: () =>
      [...queues.values()]
        .flat()
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ entry }) => entry),
    put: async (entry) => {
      const key = queueSortKey(entry);
      const queue = queues.get(entry.userId) ?? [];
      const place = placeOf(queue, key);
      queue.splice(place, queue[place]?.key === key ? 1 : 0, { key, entry });
      queues.set(entry.userId, queue);
      shares.markWaiting(entry.userId);
    },
    list: async (userId, limit, after) => {
      const last = after === undefined ? '' : queueSortKey(after);
      const found: QueueEntry[] = [];
      for (const { key, entry } of of(userId)) {
        if (found.length >= limit) break;
        if (key > last) found.push(entry);
      }
      return found;
    },
    remove: async (entry) => {
      const key = queueSortKey(entry);
      const queue = queues.get(entry.userId) ?? [];
      const place = placeOf(queue, key);
      if (queue[place]?.key === key) queue.splice(place, 1);
    },
    count: async (userId, max) => Math.min(max, of(userId).length),
  };
};
