/** The job of a queue entry, and what becomes of entries that nothing waits for. */
import { cancelPending } from '../cancel-pending.ts';
import type { Job } from '../job.ts';
import type { QueueEntry } from '../ports.ts';
import type { DispatchDependencies } from './ports.ts';

/** An entry without a job is an aborted submission once it is this old. */
const ORPHAN_MS = 60_000;

/** A job turns pending under the instant of its entry: any other entry of it is left over. */
const isEntryOf = (entry: QueueEntry, job: Job): boolean => entry.queuedAt === job.queuedAt;

/**
 * True for an entry that nothing waits for. A retry writes its entry before the job turns pending again, so an
 * entry younger than the running assignment is left for that second write.
 */
const isStale = (entry: QueueEntry, job: Job): boolean =>
  job.status === 'pending' ||
  isEntryOf(entry, job) ||
  job.completedAt !== null ||
  (job.assignedAt !== null && job.assignedAt > entry.queuedAt);

const dropStaleEntry = async (
  entry: QueueEntry,
  job: Job | undefined,
  deps: DispatchDependencies,
): Promise<void> => {
  const age = deps.clock.now() - Date.parse(entry.queuedAt);
  if (job === undefined ? age > ORPHAN_MS : isStale(entry, job)) await deps.queue.remove(entry);
};

/** The job of an entry if it still waits; else the entry is cleaned up where that is safe. */
export const pendingJobOf = async (
  entry: QueueEntry,
  deps: DispatchDependencies,
): Promise<Job | undefined> => {
  const job = await deps.jobs.get(entry.jobId);
  if (job?.status === 'pending' && job.cancelRequestedAt !== null) {
    // Cancelled while it was active, and whoever let it wait again died before it saw that.
    await cancelPending(job, deps);
    return undefined;
  }
  if (job?.status === 'pending' && isEntryOf(entry, job)) return job;
  await dropStaleEntry(entry, job, deps);
  return undefined;
};
