/** What followers and the bus are told when an attempt did not succeed. */
import type { JobPush, PipelineEvent } from '../../shared-types/index.ts';
import { pushToFollowers } from './followers.ts';
import { failurePlaceOf } from './job-failure.ts';
import type { Job, JobFailure } from './job.ts';
import type { EventPublisher, Logger, Pusher, SubscriptionStore } from './ports.ts';
import { pushBase } from './push-base.ts';
import { taskEventBase } from './task-event.ts';

export interface TellDependencies {
  readonly publisher: EventPublisher;
  readonly pusher: Pusher;
  readonly subscriptions: SubscriptionStore;
  readonly logger: Logger;
}

const failureKeys = (failure: JobFailure) => ({ message: failure.message, ...failurePlaceOf(failure) });

const tell = async (job: Job, push: JobPush, event: PipelineEvent, deps: TellDependencies): Promise<void> => {
  await pushToFollowers(job, push, deps);
  await deps.publisher.publish([event]);
};

export const tellRetrying = (
  job: Job,
  failure: JobFailure,
  delaySeconds: number,
  deps: TellDependencies,
): Promise<void> => {
  const nextAttempt = job.attempt + 1;
  const { maxRetries } = job;
  const push: JobPush = {
    type: 'job_retrying',
    ...pushBase(job),
    ...failureKeys(failure),
    nextAttempt,
    maxRetries,
    delaySeconds,
  };
  const { reason, message } = failure;
  const detail = { ...taskEventBase(job, 'Task Retrying'), reason, message, nextAttempt, delaySeconds };
  return tell(job, push, { detailType: 'Task Retrying', detail }, deps);
};

export const tellFailed = (job: Job, failure: JobFailure, deps: TellDependencies): Promise<void> => {
  const push: JobPush = { type: 'job_failed', ...pushBase(job), ...failureKeys(failure) };
  const { unheard: _evidence, ...told } = failure;
  const detail = { ...taskEventBase(job, 'Task Failed'), ...told };
  return tell(job, push, { detailType: 'Task Failed', detail }, deps);
};

/** May be told again: the event has the id that it had, so that consumers see it once. */
export const tellCancelled = (job: Job, deps: TellDependencies): Promise<void> => {
  const push: JobPush = { type: 'job_cancelled', ...pushBase(job), message: 'Cancelled' };
  const detail = taskEventBase(job, 'Task Cancelled');
  return tell(job, push, { detailType: 'Task Cancelled', detail }, deps);
};
