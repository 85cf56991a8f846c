import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { eventHandler } from '../adapters/lambda/event-handler.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { METRIC_EVENTS, metricDocument } from './task-metrics.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.stage]: required });
  const logger = createLogger({ functionName: 'task-metrics' });
  return eventHandler({
    accepts: METRIC_EVENTS,
    logger,
    handle: async (event) => logger.info('task.metrics', metricDocument(event, env.STAGE, systemClock.now())),
  });
});
