/** The progress of a job as its followers get it. */
import type { JobProgress, PushOf } from '../../shared-types/index.ts';
import { bytesOf, fitting, MAX_PUSH_BYTES } from './fitting.ts';
import { distinctOutputs } from './job-outputs.ts';
import type { Job } from './job.ts';
import { pushBase } from './push-base.ts';

/** With the outputs that are stored so far, as many as fit. */
export const progressPush = (job: Job, progress: JobProgress): PushOf<'job_progress'> => {
  const base = { type: 'job_progress', ...progress, ...pushBase(job) } as const;
  const outputs = fitting(distinctOutputs(job.earlyOutputs), MAX_PUSH_BYTES - bytesOf(base));
  return outputs.length === 0 ? base : { ...base, outputs };
};
