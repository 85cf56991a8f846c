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
    list: async (jobId, max) =>
      [...events]
        .filter(([key]) => key.startsWith(`${jobId}/`))
        .map(([key, transitions]) => {
          const [, attempt = 0, sequence = 0] = key.split('/').map(Number);
          return { attempt, sequence, transitions };
        })
        .toSorted((a, b) => a.attempt - b.attempt || a.sequence - b.sequence)
        .flatMap(({ attempt, transitions }) => transitions.map((one) => ({ ...one, attempt })))
        .slice(0, max),
  };
};
