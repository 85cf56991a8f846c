/** Moves a pending task within its queue. */
import type { Job } from '../job.ts';
import type { JobStore, QueueEntry, QueueStore } from '../ports.ts';
import { entryOf } from '../queue-entry.ts';

export interface ChangePriorityDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
}

export type PriorityChange =
  | { readonly kind: 'changed'; readonly job: Job }
  /** It is not pending any more. */
  | { readonly kind: 'refused' };

/** The entry as it stands, for what it says of a retry's delay; looked up just before where it sorts. */
const standingEntry = async (job: Job, queue: QueueStore): Promise<QueueEntry> => {
  const before = { ...entryOf(job), jobId: job.jobId.slice(0, -1) };
  const near = await queue.list(job.userId, 16, before);
  const found = near.find(({ jobId, queuedAt }) => jobId === job.jobId && queuedAt === job.queuedAt);
  return found ?? entryOf(job);
};

/**
 * The job first, then its new entry, then the old one goes: a crash leaves an entry too many, never one too few, and
 * the dispatcher drops what stands for nothing. Whoever changed the job meanwhile has the last word on its entry.
 * @param priority 0–10
 */
export const changePriority = async (
  job: Job,
  priority: number,
  { jobs, queue }: ChangePriorityDependencies,
): Promise<PriorityChange> => {
  if (job.status !== 'pending') return { kind: 'refused' };
  const old = await standingEntry(job, queue);
  const updated = await jobs.update({
    guard: { jobId: job.jobId, statuses: ['pending'], attempt: job.attempt },
    patch: { priority },
  });
  if (updated.kind === 'refused') return updated;
  const entry: QueueEntry = { ...old, priority, queuedAt: updated.job.queuedAt };
  await queue.put(entry);
  if (old.priority !== priority) await queue.remove(old);
  const now = await jobs.get(job.jobId);
  const stands = now?.status === 'pending' && now.queuedAt === entry.queuedAt;
  if (stands && now.priority === priority) return { kind: 'changed', job: now };
  if (stands) await queue.put({ ...entry, priority: now.priority });
  await queue.remove(entry);
  return { kind: 'changed', job: updated.job };
};
