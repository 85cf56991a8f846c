/** Outputs of ended attempts in memory. */
import type { JobOutputs } from '../../core/job.ts';
import type { OutputStore } from '../../core/ports.ts';

export interface FakeOutputStore extends OutputStore {
  /** Keyed `<jobId>/<attempt>`. */
  readonly outputs: Map<string, JobOutputs>;
}

export const createFakeOutputStore = (): FakeOutputStore => {
  const outputs = new Map<string, JobOutputs>();
  return {
    outputs,
    put: async (jobId, attempt, stored) => {
      outputs.set(`${jobId}/${attempt}`, stored);
    },
    get: async (jobId, attempt) => outputs.get(`${jobId}/${attempt}`) ?? { outputs: [], missingOutputs: [] },
  };
};
