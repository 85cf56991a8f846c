/** Jobs in memory, under the same conditions as the table: one change applies whole or not at all. */
import type { Job, JobChange, JobGuard } from '../../core/job.ts';
import type { Clock, JobStore } from '../../core/ports.ts';

export interface FakeJobStore extends JobStore {
  readonly jobs: Map<string, Job>;
}

const holds = (job: Job, guard: JobGuard): boolean =>
  guard.statuses.includes(job.status) &&
  (guard.attempt === undefined || guard.attempt === job.attempt) &&
  (guard.workerId === undefined || guard.workerId === job.workerId) &&
  (guard.promptId === undefined || guard.promptId === job.promptId) &&
  (guard.eventSequenceBelow === undefined || job.eventSequence < guard.eventSequenceBelow);

const patched = (job: Job, { patch }: JobChange, now: number): Job => {
  const { addEarlyOutputs = [], clearEarlyOutputs, addAttempt, ...fields } = patch;
  const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return {
    ...job,
    ...set,
    earlyOutputs: [...(clearEarlyOutputs === true ? [] : job.earlyOutputs), ...addEarlyOutputs],
    attempts: addAttempt === undefined ? job.attempts : [...job.attempts, addAttempt],
    revision: job.revision + 1,
    updatedAt: new Date(now).toISOString(),
  };
};

export const createFakeJobStore = ({ clock }: { readonly clock: Clock }): FakeJobStore => {
  const jobs = new Map<string, Job>();
  return {
    jobs,
    create: async (job) => {
      if (jobs.has(job.jobId)) return 'exists';
      jobs.set(job.jobId, job);
      return 'created';
    },
    get: async (jobId) => jobs.get(jobId),
    update: async (change) => {
      const job = jobs.get(change.guard.jobId);
      if (job === undefined || !holds(job, change.guard)) return { kind: 'refused' };
      const next = patched(job, change, clock.now());
      jobs.set(next.jobId, next);
      return { kind: 'applied', job: next };
    },
  };
};
