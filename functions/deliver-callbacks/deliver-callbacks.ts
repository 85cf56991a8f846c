/** Tells callback URLs how tasks ended: at once on the event, again by the minute. */
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { isSchedule } from '../adapters/lambda/schedule.ts';
import { deliverDue, onTaskEnded, type DeliverDependencies } from '../core/callbacks/deliver-callback.ts';

export const CALLBACK_EVENTS = ['Task Completed', 'Task Failed', 'Task Cancelled'] as const;

export const createDeliverCallbacksHandler = (deps: DeliverDependencies): LambdaHandler => {
  const onEvent = eventHandler({
    accepts: CALLBACK_EVENTS,
    logger: deps.logger,
    handle: async ({ detail }) => onTaskEnded(detail.jobId, deps),
  });
  return async (input) => {
    if (!isSchedule(input)) return onEvent(input);
    const due = await deliverDue(deps);
    if (due > 0) deps.logger.info('callback.sweep', { due });
  };
};
