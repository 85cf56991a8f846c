/** What is told of a cancellation, once: whoever asks for it again hears of it from the answer alone. */
import type { Job } from './job.ts';
import type { JobStore } from './ports.ts';
import { taskEventBase } from './task-event.ts';
import { tellCancelled, type TellDependencies } from './tell-settled.ts';

export interface TellCancelledDependencies extends TellDependencies {
  readonly jobs: JobStore;
}

/** That it was told is no news to the one who cancels, and is told again at worst. */
const markTold = async (job: Job, { jobs, logger }: TellCancelledDependencies): Promise<void> => {
  const { jobId, attempt } = job;
  const { eventId } = taskEventBase(job, 'Task Cancelled');
  try {
    await jobs.update({
      guard: { jobId, attempt, statuses: ['cancelled'] },
      patch: { endedByEventId: eventId },
    });
  } catch (error) {
    logger.warn('cancel.not-marked', { jobId, reason: String(error) });
  }
};

/**
 * A crash between the end and the telling leaves the job unmarked, and the next one who comes by tells: then the event
 * has the id that it would have had.
 */
export const tellCancelledOnce = async (job: Job, deps: TellCancelledDependencies): Promise<void> => {
  if (job.endedByEventId !== null) return;
  await tellCancelled(job, deps);
  await markTold(job, deps);
};
