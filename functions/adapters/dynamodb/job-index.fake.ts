/** The indexes in memory, over the jobs of a fake job store, without their lag. */
import type { Job } from '../../core/job.ts';
import type { JobIndex } from '../../core/ports.ts';
import { createdKeyOf, decodeCursor, encodeCursor } from './job-cursor.ts';
import type { FakeJobStore } from './job-store.fake.ts';
import { noCounts } from './job-counts.ts';

const byCreation = (a: Job, b: Job): number => (createdKeyOf(a) < createdKeyOf(b) ? 1 : -1);

export const createFakeJobIndex = ({
  jobs: { jobs },
}: {
  readonly jobs: Pick<FakeJobStore, 'jobs'>;
}): JobIndex => {
  const ofUser = (userId: string): Job[] =>
    [...jobs.values()].filter((job) => job.userId === userId).sort(byCreation);
  return {
    list: async (userId, { status, workflowId, limit, cursor }) => {
      const from = cursor === undefined ? undefined : decodeCursor(userId, cursor);
      if (cursor !== undefined && from === undefined) return { kind: 'invalidCursor' };
      const matching = ofUser(userId)
        .filter((job) => from === undefined || createdKeyOf(job) < createdKeyOf(from))
        .filter((job) => status === undefined || job.status === status)
        .filter((job) => workflowId === undefined || job.workflowId === workflowId);
      const page = matching.slice(0, limit);
      const last = page.at(-1);
      const more = matching.length > limit && last !== undefined;
      return {
        kind: 'page',
        jobIds: page.map(({ jobId }) => jobId),
        cursor: more ? encodeCursor({ userId, createdAt: last.createdAt, jobId: last.jobId }) : undefined,
      };
    },
    counts: async (userId) => {
      const counts = noCounts();
      for (const { status } of ofUser(userId)) counts[status] += 1;
      return counts;
    },
    due: async (now, limit) =>
      [...jobs.values()]
        .flatMap(({ jobId, dueAt }) => (dueAt === null || dueAt > now ? [] : [{ jobId, dueAt }]))
        .sort((a, b) => (a.dueAt < b.dueAt ? -1 : 1))
        .slice(0, limit)
        .map(({ jobId }) => jobId),
  };
};
