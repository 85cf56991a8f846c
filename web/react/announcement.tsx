/** What a screen reader is told: changes of the node and of the state, and never more than one in a few seconds. */
import { useEffect, useRef, useState, type ReactElement } from 'react';

const ANNOUNCE_EVERY_MS = 4000;

/** The text, except that it changes at most once in so many milliseconds; what came in between is left out. */
export const useUnhurried = (text: string, everyMs: number): string => {
  const [said, setSaid] = useState(text);
  const saidAt = useRef(0);
  useEffect(() => {
    if (text === said) return undefined;
    const say = (): void => {
      saidAt.current = Date.now();
      setSaid(text);
    };
    const timer = setTimeout(say, Math.max(0, saidAt.current + everyMs - Date.now()));
    return () => clearTimeout(timer);
  }, [text, said, everyMs]);
  return said;
};

export const Announcement = ({ text }: { readonly text: string }): ReactElement => (
  <p className="gc-announcement" role="status" aria-live="polite" data-testid="announcement">
    {useUnhurried(text, ANNOUNCE_EVERY_MS)}
  </p>
);
