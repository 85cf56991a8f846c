/** Shares in memory, under the same conditions as the table. */
import type { ShareStore, UserShare } from '../../core/ports.ts';
import { emptyShare, settledTags } from './share-release.ts';

export interface FakeShareStore extends ShareStore {
  readonly shares: Map<string, UserShare>;
  /** What a queue does when an entry was put. */
  markWaiting(userId: string): void;
}

export const createFakeShareStore = (): FakeShareStore => {
  const shares = new Map<string, UserShare>();
  let paused = false;
  let stamps = 0;
  const shareOf = (userId: string): UserShare => shares.get(userId) ?? emptyShare(userId);
  const set = (userId: string, patch: Partial<UserShare>): void => {
    shares.set(userId, { ...shareOf(userId), ...patch });
  };
  return {
    shares,
    markWaiting: (userId) => {
      stamps += 1;
      set(userId, { waitingStamp: `stamp-${stamps}` });
    },
    list: async () => ({
      paused,
      users: [...shares.values()].sort((a, b) => (a.userId < b.userId ? -1 : 1)),
    }),
    get: async (userId) => shares.get(userId),
    claim: async (read, { startMs, cap, jobId, attempt, chargedMs }) => {
      const { userId, finishMs, active } = shareOf(read.userId);
      const taken = active.length >= cap || active.some((charge) => charge.jobId === jobId);
      if (finishMs !== read.finishMs || taken) return false;
      const charges = [...active, { jobId, attempt, chargedMs }];
      charges.sort((a, b) => (a.jobId < b.jobId ? -1 : 1));
      set(userId, { startMs, finishMs: startMs + chargedMs, active: charges });
      return true;
    },
    release: async (userId, jobId, attempt, actualMs) => {
      const share = shareOf(userId);
      const charge = share.active.find((each) => each.jobId === jobId && each.attempt === attempt);
      if (charge === undefined) return false;
      const active = share.active.filter((each) => each !== charge);
      set(userId, { ...settledTags(share, charge, actualMs), active });
      return true;
    },
    settleEmpty: async (userId, waitingStamp) => {
      if (shares.get(userId)?.waitingStamp === waitingStamp) set(userId, { waitingStamp: null });
    },
    setPaused: async (userId, wish) => set(userId, { paused: wish }),
    setAllPaused: async (wish) => {
      paused = wish;
    },
  };
};
