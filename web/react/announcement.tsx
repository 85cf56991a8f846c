/** What a screen reader is told: changes of the node and of the state, and never more than one in a few seconds. */
import { useEffect, useRef, useState, type ReactElement } from 'react';

export const ANNOUNCE_EVERY_MS = 4000;

export interface AnnouncementProps {
  readonly text: string;
}

export const Announcement = ({ text }: AnnouncementProps): ReactElement => {
  const [said, setSaid] = useState(text);
  const saidAt = useRef(0);
  useEffect(() => {
    if (text === said) return undefined;
    const say = (): void => {
      saidAt.current = Date.now();
      setSaid(text);
    };
    const timer = setTimeout(say, Math.max(0, saidAt.current + ANNOUNCE_EVERY_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [text, said]);
  return (
    <p className="gc-announcement" role="status" aria-live="polite" data-testid="announcement">
      {said}
    </p>
  );
};
