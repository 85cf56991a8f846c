/** Pushes a change of a job to everyone who follows it. */
import type { JobPush } from '../../shared-types/index.ts';
import type { Job } from './job.ts';
import type { Logger, Pusher, SubscriptionStore } from './ports.ts';

export interface FollowersDependencies {
  readonly pusher: Pusher;
  readonly subscriptions: SubscriptionStore;
  readonly logger: Logger;
}

const pushToOne = async (
  job: Job,
  message: JobPush,
  connectionId: string,
  { pusher, subscriptions, logger }: FollowersDependencies,
): Promise<void> => {
  try {
    if ((await pusher.send(connectionId, message)) === 'gone')
      await subscriptions.unsubscribe(job.jobId, connectionId);
  } catch (error) {
    logger.warn('push.failed', { jobId: job.jobId, connectionId, type: message.type, reason: String(error) });
  }
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
  await Promise.all(
    job.connections.map((connectionId) => pushToOne(job, message, connectionId, dependencies)),
  );
};
