/** The due entries of one user's queue during one pass, read page by page and no further than needed. */
import type { QueueEntry, QueueStore } from '../ports.ts';

/** Entries of one read. Retries that are not due yet, or jobs that no free worker can run, may fill whole pages. */
const PAGE = 100;

export interface UserQueue {
  /** The first due entry that `accepts` agrees to; it stays in the queue. Undefined when there is none. */
  peek(accepts: (entry: QueueEntry) => boolean): Promise<QueueEntry | undefined>;
  /** The entry is not looked at again in this pass. */
  drop(entry: QueueEntry): void;
  /** True when the queue was read and had no entry at all, due or not. */
  isEmpty(): boolean;
  /** Due entries that were read and not dropped. */
  waiting(): readonly QueueEntry[];
}

const isDue = ({ notBefore }: QueueEntry, now: number): boolean =>
  notBefore === null || Date.parse(notBefore) <= now;

/** @param now milliseconds since the epoch, of the whole pass */
export const createUserQueue = (userId: string, queue: QueueStore, now: number): UserQueue => {
  let read: QueueEntry[] = [];
  const place: { last: QueueEntry | undefined; atEnd: boolean } = { last: undefined, atEnd: false };
  const readPage = async (): Promise<QueueEntry[]> => {
    const page = await queue.list(userId, PAGE, place.last);
    place.atEnd = page.length < PAGE;
    place.last = page.at(-1) ?? place.last;
    const due = page.filter((entry) => isDue(entry, now));
    read.push(...due);
    return due;
  };
  return {
    peek: async (accepts) => {
      let found = read.find(accepts);
      while (found === undefined && !place.atEnd) found = (await readPage()).find(accepts);
      return found;
    },
    drop: (entry) => {
      read = read.filter((each) => each !== entry);
    },
    isEmpty: () => place.atEnd && place.last === undefined,
    waiting: () => read,
  };
};
