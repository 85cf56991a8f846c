/** Something of the API that a view shows, asked for again from time to time. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { messageOf } from '../api/pipeline-error.ts';

export interface Loaded<T> {
  /** The last answer; it stays while a later one fails. */
  readonly value: T | undefined;
  readonly error: string;
  readonly reload: () => void;
}

/** `load` is called anew when it is another function, and each `everyMs` while the page is looked at. */
export const useLoaded = <T>(load: () => Promise<T>, everyMs?: number): Loaded<T> => {
  const [state, setState] = useState<{ of: unknown; value: T | undefined; error: string }>({
    of: load,
    value: undefined,
    error: '',
  });
  const latest = useRef(0);
  const reload = useCallback(() => {
    latest.current += 1;
    const own = latest.current;
    const settle = (value: T | undefined, error: string): void => {
      if (own !== latest.current) return;
      setState((before) => ({
        of: load,
        error,
        value: value ?? (before.of === load ? before.value : undefined),
      }));
    };
    load().then(
      (value) => settle(value, ''),
      (error: unknown) => settle(undefined, messageOf(error)),
    );
  }, [load]);
  useEffect(() => {
    reload();
    const again = (): void => {
      if (document.visibilityState !== 'hidden') reload();
    };
    const timer = everyMs === undefined ? undefined : setInterval(again, everyMs);
    return () => {
      latest.current += 1;
      clearInterval(timer);
    };
  }, [reload, everyMs]);
  const current = state.of === load;
  return { value: current ? state.value : undefined, error: current ? state.error : '', reload };
};
