/** The queue in memory, in the table's order: priority, then age. */
import type { QueueEntry, QueueStore } from '../../core/ports.ts';

export interface FakeQueueStore extends QueueStore {
  readonly entries: Map<string, QueueEntry>;
}

const keyOf = ({ priority, queuedAt, jobId }: QueueEntry): string =>
  `${String(10 - priority).padStart(2, '0')}#${queuedAt}#${jobId}`;

export const createFakeQueueStore = (): FakeQueueStore => {
  const entries = new Map<string, QueueEntry>();
  return {
    entries,
    put: async (entry) => {
      entries.set(keyOf(entry), entry);
    },
    list: async (limit, after) =>
      [...entries]
        .filter(([key]) => after === undefined || key > keyOf(after))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit)
        .map(([, entry]) => entry),
    remove: async (entry) => {
      entries.delete(keyOf(entry));
    },
  };
};
