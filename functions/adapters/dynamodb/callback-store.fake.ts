/** Callbacks in memory, behaving as the table does. */
import type { Callback, CallbackSecrets, CallbackStore } from '../../core/callbacks/callback.ts';

export const createFakeCallbackStore = (): CallbackStore => {
  const callbacks = new Map<string, Callback>();
  const secrets = new Map<string, CallbackSecrets>();
  const keyOf = (jobId: string, callbackId: string): string => `${jobId}/${callbackId}`;
  return {
    create: async (callback) => {
      const key = keyOf(callback.jobId, callback.callbackId);
      if (callbacks.has(key)) return 'exists';
      callbacks.set(key, callback);
      return 'created';
    },
    get: async (jobId, callbackId) => callbacks.get(keyOf(jobId, callbackId)),
    list: async (jobId) => [...callbacks.values()].filter((callback) => callback.jobId === jobId),
    replace: async (read, next) => {
      const key = keyOf(read.jobId, read.callbackId);
      const stored = callbacks.get(key);
      if (stored?.status !== read.status || stored.nextAttemptAt !== read.nextAttemptAt) return false;
      callbacks.set(key, next);
      return true;
    },
    due: async (now, limit) =>
      [...callbacks.values()]
        .filter(({ nextAttemptAt }) => nextAttemptAt !== null && nextAttemptAt <= now)
        .toSorted((a, b) => (a.nextAttemptAt ?? '').localeCompare(b.nextAttemptAt ?? ''))
        .slice(0, limit)
        .map(({ jobId, callbackId }) => ({ jobId, callbackId })),
    secrets: async (userId, fresh) => {
      const stored = secrets.get(userId) ?? { current: fresh, previous: null };
      secrets.set(userId, stored);
      return stored;
    },
    rotate: async (userId, fresh, until) => {
      const stored = secrets.get(userId);
      const rotated = {
        current: fresh,
        previous: stored === undefined ? null : { secret: stored.current, until },
      };
      secrets.set(userId, rotated);
      return rotated;
    },
  };
};
