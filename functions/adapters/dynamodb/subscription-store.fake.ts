/** Followers in memory, on the jobs of a fake job store, as the table keeps them on the job item. */
import type { Job } from '../../core/job.ts';
import type { SubscriptionStore } from '../../core/ports.ts';
import type { FakeJobStore } from './job-store.fake.ts';

export const createFakeSubscriptionStore = ({
  jobs: { jobs },
}: {
  readonly jobs: FakeJobStore;
}): SubscriptionStore => {
  const change = (job: Job, patch: Partial<Job>): Job => {
    const next = { ...job, ...patch };
    jobs.set(job.jobId, next);
    return next;
  };
  const without = (ids: readonly string[], left: string): string[] => ids.filter((id) => id !== left);
  return {
    subscribe: async (jobId, userId, connectionId, previews = false) => {
      const job = jobs.get(jobId);
      if (job?.userId !== userId) return undefined;
      const connections = [...new Set([...job.connections, connectionId])];
      if (!previews) return change(job, { connections });
      const previewConnections = [...new Set([...job.previewConnections, connectionId])];
      return change(job, { connections, previewConnections });
    },
    unsubscribe: async (jobId, connectionId) => {
      const job = jobs.get(jobId);
      if (job === undefined) return;
      change(job, {
        connections: without(job.connections, connectionId),
        previewConnections: without(job.previewConnections, connectionId),
      });
    },
  };
};
