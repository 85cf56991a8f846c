/** The live bus, by server-sent events. */
import { useEffect, useRef, useState } from 'react';
import { readBusEvent, withEvent, type BusEvent } from './bus-event.ts';

export interface BusEvents {
  readonly events: readonly BusEvent[];
  readonly state: 'connecting' | 'open' | 'lost';
  /** Came while paused; shown once it goes on. */
  readonly held: number;
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  readonly clear: () => void;
}

export const useBusEvents = (url: string): BusEvents => {
  const [events, setEvents] = useState<readonly BusEvent[]>([]);
  const [held, setHeld] = useState<readonly BusEvent[]>([]);
  const [state, setState] = useState<BusEvents['state']>('connecting');
  const [paused, setPausedState] = useState(false);
  const pausedNow = useRef(false);

  useEffect(() => {
    const source = new EventSource(url);
    source.addEventListener('open', () => setState('open'));
    // The browser connects again by itself.
    source.addEventListener('error', () => setState('lost'));
    source.addEventListener('message', ({ data }: MessageEvent<string>) => {
      const event = readBusEvent(data);
      if (event === undefined) return;
      (pausedNow.current ? setHeld : setEvents)((before) => withEvent(before, event));
    });
    return () => source.close();
  }, [url]);

  const setPaused = (next: boolean): void => {
    pausedNow.current = next;
    setPausedState(next);
    if (next) return;
    setEvents((before) => held.toReversed().reduce(withEvent, before));
    setHeld([]);
  };
  return { events, state, held: held.length, paused, setPaused, clear: () => setEvents([]) };
};
