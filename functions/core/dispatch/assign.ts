/** Gives one pending job to a worker whose slot was taken for it: the job turns assigned, then POST /prompt. */
import type { Job } from '../job.ts';
import type { QueueEntry } from '../ports.ts';
import type { Worker } from '../worker.ts';
import type { WorkerPool } from './choose-worker.ts';
import { concludeSubmission, type Assigned } from './conclude-submission.ts';
import { giveBack } from './give-back.ts';
import type { DispatchDependencies } from './ports.ts';
import { startGraceOf } from './start-grace.ts';
import { submitPrompt, type StoredPrompt } from './submit-prompt.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

const assignJob = (job: Job, worker: Worker, promptId: string, deps: DispatchDependencies) => {
  const now = deps.clock.now();
  return deps.jobs.update({
    guard: { jobId: job.jobId, statuses: ['pending'], attempt: job.attempt },
    patch: {
      status: 'assigned',
      attempt: job.attempt + 1,
      promptId,
      workerId: worker.workerId,
      clientId: worker.clientId,
      eventSequence: 0,
      assignedAt: iso(now),
      dueAt: iso(now + startGraceOf(job)),
      startedAt: null,
      storingSince: null,
      endingSince: null,
      endingReason: null,
      progress: null,
      failure: null,
      clearEarlyOutputs: true,
    },
  });
};

/** The workflow, read while nothing but slot and charge is held: a failure gives them back at once. */
const readPrompt = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<StoredPrompt> => {
  const { jobId, fileCount } = job;
  try {
    const [workflowText, files] = await Promise.all([
      deps.workflows.get(jobId),
      fileCount === 0 ? [] : deps.workflows.getFiles(jobId),
    ]);
    return { workflowText, files };
  } catch (error) {
    await giveBack(worker.workerId, job, job.attempt + 1, deps);
    throw error;
  }
};

/**
 * The job as assigned, or undefined when another dispatcher was faster. A refusal may be the SDK's own repetition
 * of a write whose answer was lost: the prompt id is ours alone, so it tells.
 */
const takeJob = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<Job | undefined> => {
  const promptId = deps.ids.uuid();
  const assigned = await assignJob(job, worker, promptId, deps);
  if (assigned.kind === 'applied') return assigned.job;
  const fresh = await deps.jobs.get(job.jobId);
  return fresh?.promptId === promptId ? fresh : undefined;
};

/** An entry that stays is recognised as stale later, so its removal may not stop a dispatch. */
const removeEntry = async (entry: QueueEntry, deps: DispatchDependencies): Promise<void> => {
  try {
    await deps.queue.remove(entry);
  } catch (error) {
    deps.logger.warn('dispatch.entry-kept', { jobId: entry.jobId, reason: String(error) });
  }
};

/**
 * Exactly one attempt runs: share and slot have been claimed, then the job turns assigned with the next attempt
 * number (the fencing token), each on its own condition; whoever loses a race gives back what it holds. When the last
 * of these writes fails, nobody knows whether it happened: slot and charge stay, and the sweep decides.
 */
export const assign = async (
  entry: QueueEntry,
  job: Job,
  worker: Worker,
  pool: WorkerPool,
  deps: DispatchDependencies,
): Promise<Assigned> => {
  const prompt = await readPrompt(job, worker, deps);
  const assigned = await takeJob(job, worker, deps);
  if (assigned === undefined) {
    await giveBack(worker.workerId, job, job.attempt + 1, deps);
    return { kind: 'jobGone' };
  }
  await removeEntry(entry, deps);
  const outcome = await submitPrompt(assigned, worker, prompt, deps);
  return concludeSubmission(assigned, worker, outcome, pool, deps);
};
