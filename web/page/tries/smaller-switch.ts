/** Whether a job that runs out of memory is tried again, smaller, unasked. On until a person switches it off. */
import { useSyncExternalStore } from 'react';
import type { FailurePolicy } from '../../react/generation-view.ts';
import { retryWithSmallerSize } from '../../react/smaller-size.ts';

const KEY = 'retrySmaller';
const OFF = 'off';

export interface SmallerSwitch {
  readonly isOn: () => boolean;
  readonly set: (on: boolean) => void;
  readonly subscribe: (listener: () => void) => () => void;
  /** What the hook's own rule says, while it is on. */
  readonly policy: FailurePolicy;
}

/** Forbidden or full storage: the choice then lasts until the page is left. */
const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

export const createSmallerSwitch = (storage: () => Pick<Storage, 'getItem' | 'setItem'>): SmallerSwitch => {
  let on = attempt(() => storage().getItem(KEY)) !== OFF;
  const listeners = new Set<() => void>();
  const isOn = (): boolean => on;
  return {
    isOn,
    set: (next) => {
      on = next;
      attempt(() => storage().setItem(KEY, next ? 'on' : OFF));
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    policy: (...failure) => (on ? retryWithSmallerSize(...failure) : undefined),
  };
};

export const useSwitch = ({ isOn, subscribe }: SmallerSwitch): boolean =>
  useSyncExternalStore(subscribe, isOn, isOn);
