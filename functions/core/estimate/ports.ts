/** What estimating needs from outside. */
import type { Profile } from './profile.ts';

/** A profile of one workflow, or of all classes, on one kind of worker. */
export interface ProfileKey {
  /** `hash` of a workflow's shape, or `CLASS_PROFILE`. */
  readonly of: string;
  /** `workerKind`. */
  readonly kind: string;
}

/** The profile of all classes: what stands in for a workflow that was never measured. */
export const CLASS_PROFILE = 'CLASS';

export interface ProfileStore {
  /** Undefined when there is none, or none that reads. */
  get(key: ProfileKey): Promise<Profile | undefined>;
  /**
   * Writes a profile that was learnt from one with `readRuns` runs (0: from none). False when another was written in
   * between: read again.
   */
  put(key: ProfileKey, profile: Profile, readRuns: number): Promise<boolean>;
}
