/** API keys in memory, by the hash of their secret. */
import type { ApiKey, ApiKeyStore } from '../../core/ports.ts';

export interface FakeApiKeyStore extends ApiKeyStore {
  readonly keys: Map<string, ApiKey>;
}

export const createFakeApiKeyStore = (): FakeApiKeyStore => {
  const keys = new Map<string, ApiKey>();
  return {
    keys,
    create: async (key, secretHash) => {
      keys.set(secretHash, key);
    },
    findBySecret: async (secretHash) => keys.get(secretHash),
    list: async (userId) =>
      [...keys.values()]
        .filter((key) => key.userId === userId)
        .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.keyId.localeCompare(b.keyId)),
    revoke: async (userId, keyId, at) => {
      const found = [...keys].find(([, key]) => key.userId === userId && key.keyId === keyId);
      if (found === undefined) return false;
      const [secretHash, key] = found;
      keys.set(secretHash, { ...key, revokedAt: key.revokedAt ?? at });
      return true;
    },
  };
};
