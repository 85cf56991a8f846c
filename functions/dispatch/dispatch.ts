/** What wakes the dispatcher, and what each wake-up says about a worker before the queue is served. */
import type { DetailOf, PipelineEvent } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { dispatchPending, type DispatchReport } from '../core/dispatch/dispatch.ts';
import type { DispatchDependencies } from '../core/dispatch/ports.ts';
import { endOrphans } from '../core/dispatch/sweep-orphan.ts';
import { sweep } from '../core/dispatch/sweep.ts';
import { registerWorker } from '../core/register-worker.ts';
import type { InstanceStore } from '../core/scaling/ports.ts';
import type { AddressPolicy } from '../core/worker-address.ts';

export const DISPATCH_EVENTS = [
  'Monitor Initialized',
  'Job Completed',
  'Job Failed',
  'Job Cancelled',
  'Task Submitted',
  'Task Retrying',
  'Task Cancelled',
] as const;
export type DispatchEvent = PipelineEvent<(typeof DISPATCH_EVENTS)[number]>;

export interface WakeUpDependencies extends DispatchDependencies {
  readonly instances: Pick<InstanceStore, 'list'>;
  readonly addressPolicy: AddressPolicy;
}

/** A retry due within this long is waited for here; a later one is the sweep's. */
const MAX_WAIT_SECONDS = 60;
const MAX_CATALOGUE_WAIT_MS = 4000;
const CATALOGUE_POLL_MS = 250;

/**
 * Frees the slot of the attempt that ended, and its user's share with it. The source pins the worker, so a monitor can
 * only free its own: whose share it is, the slot says.
 */
const freeEnded = async (
  detail: DetailOf<'Job Completed' | 'Job Failed' | 'Job Cancelled'>,
  { workers, shares }: WakeUpDependencies,
): Promise<void> => {
  const { workerId, jobId, attempt, durationMs } = detail;
  const held = await workers.release(workerId, jobId, attempt);
  if (held !== undefined) await shares.release(held.userId, jobId, attempt, durationMs);
};

/**
 * A cancelled attempt may never be told of by its monitor: it was deleted before it ran. On a worker that is gone it
 * may run all the same: then the sweep frees the slot when it does not.
 */
const freeCancelled = async (
  { workerId, userId, jobId, attempt }: DetailOf<'Task Cancelled'>,
  { workers, shares }: WakeUpDependencies,
): Promise<void> => {
  const worker = workerId === null ? undefined : await workers.get(workerId);
  const isGone = worker !== undefined && ['failed', 'lost', 'stopped'].includes(worker.condition);
  if (workerId !== null && !isGone) await workers.release(workerId, jobId, attempt);
  await shares.release(userId, jobId, attempt, null);
};

/** monitor-init is learning what the worker can run. A worker that is not known yet would be given anything. */
const awaitCatalogue = async (workerId: string, { workers, clock }: WakeUpDependencies): Promise<void> => {
  for (let waited = 0; waited < MAX_CATALOGUE_WAIT_MS; waited += CATALOGUE_POLL_MS) {
    const worker = await workers.get(workerId);
    if (worker === undefined || worker.catalogueHash !== null) return;
    await clock.sleep(CATALOGUE_POLL_MS);
  }
};

const applyEvent = async (event: DispatchEvent, deps: WakeUpDependencies): Promise<void> => {
  switch (event.detailType) {
    case 'Job Completed':
    case 'Job Failed':
    case 'Job Cancelled':
      return freeEnded(event.detail, deps);
    case 'Task Cancelled':
      return freeCancelled(event.detail, deps);
    case 'Monitor Initialized':
      // monitor-init does the same; whoever comes second changes nothing, and no wake-up is lost in between.
      await registerWorker(event.detail, deps);
      await endOrphans(event.detail.workerId, deps);
      return awaitCatalogue(event.detail.workerId, deps);
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
  const report = (trigger: string, done: DispatchReport): void => {
    deps.logger.info('dispatch.pass', { trigger, ...done });
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
