/** One deadline over all the calls of a method. */
import type { Clock } from '../../core/ports.ts';

/** The signal fires after `ms`, and not after the task has ended. */
export const withDeadline = async <T>(
  clock: Pick<Clock, 'sleep'>,
  ms: number,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const deadline = new AbortController();
  const ended = new AbortController();
  clock.sleep(ms, ended.signal).then(
    () => deadline.abort(),
    () => undefined,
  );
  try {
    return await task(deadline.signal);
  } finally {
    ended.abort();
  }
};
