/** Wakes the dispatcher when tasks may start that no event announced: a queue was resumed, a worker came back. */
import type { Job } from './job.ts';
import type { EventPublisher, JobStore, Logger, QueueStore, ShareStore } from './ports.ts';
import { taskEventBase } from './task-event.ts';

export interface WakeDependencies {
  readonly jobs: JobStore;
  readonly queue: QueueStore;
  readonly shares: ShareStore;
  readonly publisher: EventPublisher;
  readonly logger: Logger;
}

/** Users whose queues are looked into for a task that waits. */
const MAX_USERS = 20;

const firstWaiting = async ({ shares, queue, jobs }: WakeDependencies): Promise<Job | undefined> => {
  const { users } = await shares.list();
  const waiting = users.filter(({ waitingStamp, paused }) => waitingStamp !== null && !paused);
  for (const { userId } of waiting.slice(0, MAX_USERS)) {
    const [entry] = await queue.list(userId, 1);
    const job = entry === undefined ? undefined : await jobs.get(entry.jobId);
    if (job?.status === 'pending') return job;
  }
  return undefined;
};

/**
 * Tells once more that a task which waits was submitted, under the id that this event had: one pass serves every
 * queue. Never rejects: what it fails to wake is served by the one-minute sweep.
 */
export const wakeDispatcher = async (deps: WakeDependencies): Promise<void> => {
  try {
    const job = await firstWaiting(deps);
    if (job === undefined) return;
    const detail = taskEventBase(job, 'Task Submitted');
    await deps.publisher.publish([{ detailType: 'Task Submitted', detail }]);
  } catch (error) {
    deps.logger.warn('dispatch.not-woken', { reason: String(error) });
  }
};
