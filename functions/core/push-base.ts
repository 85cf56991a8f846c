/** What every push of a job carries. */
import type { Job } from './job.ts';

/** `sequence` is the job's revision: it grows by one with each push and never restarts. */
export const pushBase = (job: Job) => ({
  jobId: job.jobId,
  promptId: job.promptId,
  attempt: job.attempt,
  sequence: job.revision,
  timestamp: job.updatedAt,
});
