/** Node transitions in memory: one entry an event, whatever the number of its deliveries. */
import type { NodeTransition, TimelineStore } from '../../core/ports.ts';

export interface FakeTimelineStore extends TimelineStore {
  /** Keyed `<jobId>/<attempt>/<sequence>`. */
  readonly events: Map<string, readonly NodeTransition[]>;
}

export const createFakeTimelineStore = (): FakeTimelineStore => {
  const events = new Map<string, readonly NodeTransition[]>();
  return {
    events,
    append: async (jobId, attempt, sequence, transitions) => {
      events.set(`${jobId}/${attempt}/${sequence}`, transitions);
    },
  };
};
