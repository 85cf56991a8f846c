/** Nothing was queued in ComfyUI: the job waits again, and no retry of the user's is spent on it. */
import { cancelPending } from '../cancel-pending.ts';
import type { Job } from '../job.ts';
import { entryOf } from '../queue-entry.ts';
import { requeuedAt } from '../requeued-at.ts';
import { activeGuard } from '../job-guards.ts';
import type { Worker } from '../worker.ts';
import { giveBack } from './give-back.ts';
import type { DispatchDependencies } from './ports.ts';

/** A worker that could not be used is left alone for this long. */
const AVOID_MS = 30_000;

export const avoidWorker = ({ workerId }: Worker, deps: DispatchDependencies): Promise<void> =>
  deps.workers.avoid(workerId, new Date(deps.clock.now() + AVOID_MS).toISOString());

/**
 * The job waits again, unless it was cancelled meanwhile. The entry is written first: a crash in between leaves an entry that is cleaned up, and an assigned job that the sweep heals.
 */
export const putBack = async (job: Job, worker: Worker, deps: DispatchDependencies): Promise<void> => {
  const entry = entryOf(job, requeuedAt(job, deps.clock.now()));
  await deps.queue.put(entry);
  const updated = await deps.jobs.update({
    guard: { ...activeGuard(job), statuses: ['assigned'] },
    patch: {
      status: 'pending',
      queuedAt: entry.queuedAt,
      promptId: null,
      workerId: null,
      clientId: null,
      endingSince: null,
      endingReason: null,
      dueAt: null,
    },
  });
  await avoidWorker(worker, deps);
  await giveBack(worker.workerId, job, job.attempt, deps);
  if (updated.kind === 'applied' && updated.job.cancelRequestedAt !== null)
    await cancelPending(updated.job, deps);
};
