/** Profiles in memory, under the same conditions as the table. */
import type { ProfileKey, ProfileStore } from '../../core/estimate/ports.ts';
import type { Profile } from '../../core/estimate/profile.ts';

export interface FakeProfileStore extends ProfileStore {
  /** Keyed `<of>/<kind>`. */
  readonly profiles: Map<string, Profile>;
}

export const createFakeProfileStore = (): FakeProfileStore => {
  const profiles = new Map<string, Profile>();
  const textOf = ({ of, kind }: ProfileKey): string => `${of}/${kind}`;
  return {
    profiles,
    get: async (key) => profiles.get(textOf(key)),
    put: async (key, profile, readRuns) => {
      if ((profiles.get(textOf(key))?.runs ?? 0) !== readRuns) return false;
      profiles.set(textOf(key), profile);
      return true;
    },
  };
};
