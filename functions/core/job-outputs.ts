/** Where the outputs of a job are: with the job while it runs, in the output store once it completed. */
import type { StoredOutput } from '../../shared-types/index.ts';
import { isTerminal, type Job, type JobOutputs } from './job.ts';
import type { OutputStore } from './ports.ts';

/** The same output may have been appended twice by a repeated event. */
export const distinctOutputs = (outputs: readonly StoredOutput[]): StoredOutput[] => [
  ...new Map(outputs.map((output) => [output.outputId, output])).values(),
];

/** Undefined before the end. A job that failed keeps what was stored before it did. */
export const outputsOfJob = async (job: Job, store: OutputStore): Promise<JobOutputs | undefined> => {
  if (!isTerminal(job.status)) return undefined;
  if (job.status === 'completed') return store.get(job.jobId, job.attempt);
  return { outputs: distinctOutputs(job.earlyOutputs), missingOutputs: [] };
};
