/** On a schedule of its own: ends what outlived its lease, with nothing but the providers. */
import type { LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { isSchedule } from '../adapters/lambda/schedule.ts';
import type { ReapDependencies } from '../core/scaling/ports.ts';
import { reapStage } from '../core/scaling/reap.ts';

/** Whatever calls it but the schedule is told of, and changes nothing. */
export const createReapWorkersHandler =
  (deps: ReapDependencies): LambdaHandler =>
  async (input) => {
    if (!isSchedule(input)) return deps.logger.warn('reap.not-a-schedule');
    await reapStage(deps);
  };
