/** A task of the caller, by the id in the path. */
import * as z from 'zod';
import type { Job } from '../job.ts';
import type { JobStore } from '../ports.ts';

const taskId = z.uuid();

/** In the very same words for another user's task, for one that never was, and for what is no id. */
export const NO_SUCH_TASK = 'no such task; check the id, it is the one that POST /api/v1/tasks answered';

export const readTaskId = (id: unknown): string | undefined => {
  const read = taskId.safeParse(id);
  return read.success ? read.data.toLowerCase() : undefined;
};

export const findOwnTask = async (id: unknown, userId: string, jobs: JobStore): Promise<Job | undefined> => {
  const jobId = readTaskId(id);
  const job = jobId === undefined ? undefined : await jobs.get(jobId);
  return job?.userId === userId ? job : undefined;
};
