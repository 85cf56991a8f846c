/** Pushes a change of a job to everyone who follows it. */
import type { JobPush } from '../../shared-types/index.ts';
import type { Job } from './job.ts';
import type { Logger, Pusher, SubscriptionStore } from './ports.ts';

export interface FollowersDependencies {
  readonly pusher: Pusher;
  readonly subscriptions: SubscriptionStore;
  readonly logger: Logger;
}

/** False when the connection is gone. */
const pushToOne = async (
  job: Job,
  message: JobPush,
  connectionId: string,
  { pusher, subscriptions, logger }: FollowersDependencies,
): Promise<boolean> => {
  try {
    if ((await pusher.send(connectionId, message)) !== 'gone') return true;
    await subscriptions.unsubscribe(job.jobId, connectionId);
    return false;
  } catch (error) {
    logger.warn('push.failed', { jobId: job.jobId, connectionId, type: message.type, reason: String(error) });
    return true;
  }
};

/** To some of the followers; answers how many of them are still there. Never rejects. */
export const pushToConnections = async (
  job: Job,
  connectionIds: readonly string[],
  message: JobPush,
  dependencies: FollowersDependencies,
): Promise<number> => {
  const there = await Promise.all(
    connectionIds.map((connectionId) => pushToOne(job, message, connectionId, dependencies)),
  );
  return there.filter(Boolean).length;
};

/**
 * One follower that cannot be reached neither keeps the others waiting nor fails the event: pushes are numbered,
 * so a client that missed one asks for a snapshot. Gone connections leave the job. Never rejects.
 */
export const pushToFollowers = async (
  job: Job,
  message: JobPush,
  dependencies: FollowersDependencies,
): Promise<void> => {
  await pushToConnections(job, job.connections, message, dependencies);
};
