/** Cancels a job that no worker has. */
import type { Job } from './job.ts';
import type { Clock, QueueStore } from './ports.ts';
import { entryOf } from './queue-entry.ts';
import { tellCancelledOnce, type TellCancelledDependencies } from './tell-cancelled.ts';

export interface CancelPendingDependencies extends TellCancelledDependencies {
  readonly queue: QueueStore;
  readonly clock: Clock;
}

/** An entry whose job has ended is recognised by the dispatcher, so its removal may not fail the cancellation. */
const removeEntry = async (job: Job, { queue, logger }: CancelPendingDependencies): Promise<void> => {
  try {
    await queue.remove(entryOf(job));
  } catch (error) {
    logger.warn('cancel.entry-kept', { jobId: job.jobId, reason: String(error) });
  }
};

/**
 * Ends a pending job as cancelled, on the condition that it still is pending in the same wait.
 * @returns the job as cancelled, or undefined when it has moved on
 */
export const cancelPending = async (job: Job, deps: CancelPendingDependencies): Promise<Job | undefined> => {
  const now = new Date(deps.clock.now()).toISOString();
  const updated = await deps.jobs.update({
    guard: { jobId: job.jobId, statuses: ['pending'], attempt: job.attempt },
    patch: {
      status: 'cancelled',
      cancelRequestedAt: job.cancelRequestedAt ?? now,
      completedAt: now,
      outputCount: job.earlyOutputs.length,
      dueAt: null,
    },
  });
  if (updated.kind === 'refused') return undefined;
  await removeEntry(updated.job, deps);
  await tellCancelledOnce(updated.job, deps);
  return updated.job;
};
