/** Something that a person switches on or off, kept in this browser. */
import { useSyncExternalStore } from 'react';

export interface KeptSwitch {
  readonly isOn: () => boolean;
  readonly set: (on: boolean) => void;
  readonly subscribe: (listener: () => void) => () => void;
}

export interface KeptSwitchOptions {
  /** Asked each time; may throw. */
  readonly storage: () => Pick<Storage, 'getItem' | 'setItem'>;
  readonly key: string;
  /** What it is until a person chooses. */
  readonly initially: boolean;
}

/** Forbidden or full storage: the choice then lasts until the page is left. */
const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

export const createKeptSwitch = ({ storage, key, initially }: KeptSwitchOptions): KeptSwitch => {
  const kept = attempt(() => storage().getItem(key));
  let on = kept === 'on' || (kept !== 'off' && initially);
  const listeners = new Set<() => void>();
  return {
    isOn: () => on,
    set: (next) => {
      on = next;
      attempt(() => storage().setItem(key, next ? 'on' : 'off'));
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};

export const useSwitch = ({ isOn, subscribe }: KeptSwitch): boolean =>
  useSyncExternalStore(subscribe, isOn, isOn);
