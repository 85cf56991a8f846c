/** Once a minute: as many workers as the waiting tasks need, from the providers of each pool. */
import type { LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { isSchedule } from '../adapters/lambda/schedule.ts';
import type { ScalingDependencies } from '../core/scaling/ports.ts';
import { scalePools } from '../core/scaling/scale-pools.ts';

/** Whatever calls it but the schedule is told of, and changes nothing. */
export const createScaleWorkersHandler =
  (deps: ScalingDependencies): LambdaHandler =>
  async (input) => {
    if (!isSchedule(input)) return deps.logger.warn('scaling.not-a-schedule');
    if (deps.pools.length > 0) await scalePools(deps);
  };
