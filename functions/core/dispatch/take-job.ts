/** The job turns assigned to a worker whose slot was taken for it. */
import type { Job } from '../job.ts';
import type { QueueEntry } from '../ports.ts';
import type { Worker } from '../worker.ts';
import type { DispatchDependencies } from './ports.ts';
import { startGraceOf } from './start-grace.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** A slot that was taken for a job. */
export interface Claimed {
  readonly worker: Worker;
  /** Prompts that the worker held before. */
  readonly queuedBehind: number;
}

const assignJob = (
  job: Job,
  { worker, queuedBehind }: Claimed,
  promptId: string,
  deps: DispatchDependencies,
) => {
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
      queuedBehind,
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

/** An entry that stays is recognised as stale later, so its removal may not stop a dispatch. */
const removeEntry = async (entry: QueueEntry, deps: DispatchDependencies): Promise<void> => {
  try {
    await deps.queue.remove(entry);
  } catch (error) {
    deps.logger.warn('dispatch.entry-kept', { jobId: entry.jobId, reason: String(error) });
  }
};

/**
 * The job as assigned, or undefined when another dispatcher was faster. A refusal may be the SDK's own repetition
 * of a write whose answer was lost: the prompt id is ours alone, so it tells.
 */
export const takeJob = async (
  entry: QueueEntry,
  job: Job,
  claimed: Claimed,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const promptId = deps.ids.uuid();
  const assigned = await assignJob(job, claimed, promptId, deps);
  const fresh = assigned.kind === 'applied' ? assigned.job : await deps.jobs.get(job.jobId);
  if (fresh?.promptId !== promptId) return undefined;
  await removeEntry(entry, deps);
  return fresh;
};
