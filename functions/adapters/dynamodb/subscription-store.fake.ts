/** Followers in memory, on the jobs of a fake job store, as the table keeps them on the job item. */
import type { Job } from '../../core/job.ts';
import type { SubscriptionStore } from '../../core/ports.ts';
import type { FakeJobStore } from './job-store.fake.ts';

export const createFakeSubscriptionStore = ({
  jobs: { jobs },
}: {
  readonly jobs: FakeJobStore;
}): SubscriptionStore => {
  const follow = (job: Job, connections: readonly string[]): Job => {
    const next = { ...job, connections };
    jobs.set(job.jobId, next);
    return next;
  };
  return {
    subscribe: async (jobId, userId, connectionId) => {
      const job = jobs.get(jobId);
      if (job?.userId !== userId) return undefined;
      return follow(job, [...new Set([...job.connections, connectionId])]);
    },
    unsubscribe: async (jobId, connectionId) => {
      const job = jobs.get(jobId);
      if (job !== undefined) {
        follow(
          job,
          job.connections.filter((id) => id !== connectionId),
        );
      }
    },
  };
};
