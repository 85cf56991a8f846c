/** What wakes the dispatcher, and what each wake-up says about a worker before the queue is served. */
import type { DetailOf, PipelineEvent } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { dispatchPending, type DispatchReport } from '../core/dispatch/dispatch.ts';
import type { DispatchDependencies } from '../core/dispatch/ports.ts';
import { sweep } from '../core/dispatch/sweep.ts';
import { registerWorker } from '../core/register-worker.ts';
import type { AddressPolicy } from '../core/worker-address.ts';

export const DISPATCH_EVENTS = [
  'Monitor Initialized',
  'Job Completed',
  'Job Failed',
  'Job Cancelled',
  'Task Submitted',
  'Task Retrying',
] as const;
export type DispatchEvent = PipelineEvent<(typeof DISPATCH_EVENTS)[number]>;

export interface WakeUpDependencies extends DispatchDependencies {
  readonly addressPolicy: AddressPolicy;
}

/** A retry due within this long is waited for here; a later one is the sweep's. */
const MAX_WAIT_SECONDS = 60;

/** Frees the worker of the attempt that ended. The source pins the worker, so it can only free itself. */
const freeWorker = async (
  detail: DetailOf<'Job Completed' | 'Job Failed' | 'Job Cancelled'>,
  { workers }: WakeUpDependencies,
): Promise<void> => {
  await workers.release(detail.workerId, detail.jobId, detail.attempt);
};

const applyEvent = async (event: DispatchEvent, deps: WakeUpDependencies): Promise<void> => {
  switch (event.detailType) {
    case 'Job Completed':
    case 'Job Failed':
    case 'Job Cancelled':
      return freeWorker(event.detail, deps);
    case 'Monitor Initialized':
      // monitor-init does the same; whoever comes second changes nothing, and no wake-up is lost in between.
      await registerWorker(event.detail, deps);
      return;
    case 'Task Retrying':
      if (event.detail.delaySeconds <= MAX_WAIT_SECONDS)
        await deps.clock.sleep(event.detail.delaySeconds * 1000);
      return;
    case 'Task Submitted':
      return;
  }
};

/** Serves the queue after one event. */
export const onDispatchEvent = async (
  event: DispatchEvent,
  deps: WakeUpDependencies,
): Promise<DispatchReport> => {
  await applyEvent(event, deps);
  return dispatchPending(deps);
};

/** The one-minute sweep, then the queue. */
export const onSweep = async (deps: WakeUpDependencies): Promise<DispatchReport> => {
  await sweep(deps);
  return dispatchPending(deps);
};

/** EventBridge's own event of a schedule (docs.aws.amazon.com/eventbridge, "Scheduled Event"). */
const isSchedule = (input: unknown): boolean =>
  typeof input === 'object' &&
  input !== null &&
  'detail-type' in input &&
  input['detail-type'] === 'Scheduled Event';

/** Every wake-up serves the queue; the schedule sweeps first. */
export const createDispatchHandler = (deps: WakeUpDependencies): LambdaHandler => {
  const report = (trigger: string, { dispatched, idleWorkers, pendingSeen }: DispatchReport): void => {
    deps.logger.info('dispatch.pass', { trigger, dispatched, idleWorkers, pendingSeen });
  };
  const onEvent = eventHandler({
    accepts: DISPATCH_EVENTS,
    logger: deps.logger,
    handle: async (event) => report(event.detailType, await onDispatchEvent(event, deps)),
  });
  return async (input) => {
    if (isSchedule(input)) report('sweep', await onSweep(deps));
    else await onEvent(input);
  };
};
