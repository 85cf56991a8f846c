/** How long tasks will still take, asked of the task API now and then, and counted down in between. */
import type { Outlook } from './progress-line.ts';

export interface Outlooks {
  of(id: string): Outlook;
  /**
   * @param openIds the tasks that still have an outlook
   * @param changed told of each answer
   */
  start(openIds: () => readonly string[], read: ReadTask, changed: (id: string) => void): void;
  stop(): void;
}

export type ReadTask = (
  id: string,
) => Promise<{ readonly queue_position: number | null; readonly eta_seconds: number | null }>;

const EVERY_MS = 5000;
/** Tasks asked for each time, in turn: an answer carries the whole workflow. */
const AT_ONCE = 10;

const UNKNOWN: Outlook = { queuePosition: null, etaSeconds: null };

interface Known extends Outlook {
  readonly at: number;
}

/** Starts again at the beginning after the last. */
const turnOf = (ids: readonly string[], from: number): string[] =>
  Array.from({ length: Math.min(AT_ONCE, ids.length) }, (_, n) => ids[(from + n) % ids.length] ?? '');

/** @param now milliseconds; only differences matter */
export const createOutlooks = (now: () => number): Outlooks => {
  const known = new Map<string, Known>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let asking = false;
  let from = 0;

  const refresh = async (
    ids: readonly string[],
    read: ReadTask,
    changed: (id: string) => void,
  ): Promise<void> => {
    for (const id of turnOf(ids, from)) {
      // An estimate that cannot be had now is asked for again.
      const seen = await read(id).catch(() => undefined);
      if (timer === undefined) return;
      if (seen === undefined) continue;
      known.set(id, { queuePosition: seen.queue_position, etaSeconds: seen.eta_seconds, at: now() });
      changed(id);
    }
    from += AT_ONCE;
  };

  return {
    of: (id) => {
      const one = known.get(id);
      if (one === undefined) return UNKNOWN;
      const { queuePosition, etaSeconds, at } = one;
      if (etaSeconds === null) return { queuePosition, etaSeconds };
      return { queuePosition, etaSeconds: Math.max(0, etaSeconds - (now() - at) / 1000) };
    },
    start: (openIds, read, changed) => {
      const ask = (): void => {
        if (asking) return;
        asking = true;
        void refresh(openIds(), read, changed).finally(() => {
          asking = false;
        });
      };
      timer = setInterval(ask, EVERY_MS);
      queueMicrotask(ask);
    },
    stop: () => {
      clearInterval(timer);
      timer = undefined;
    },
  };
};
