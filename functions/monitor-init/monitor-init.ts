import type { DetailOf } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { registerWorker, type RegisterDependencies } from '../core/register-worker.ts';

const beat = async (
  { workerId, clientId, bootId, sequence, timestamp, state }: DetailOf<'Monitor Heartbeat'>,
  { workers, logger }: RegisterDependencies,
): Promise<void> => {
  const report = { workerId, clientId, bootId, sequence, timestamp };
  const answer = await workers.heartbeat({ ...report, available: state !== 'unreachable' });
  if (answer === 'refused') logger.info('heartbeat.stale', { workerId, sequence });
};

/** Monitor Initialized registers the worker; Monitor Heartbeat keeps its lease. */
export const createMonitorInitHandler = (dependencies: RegisterDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Monitor Initialized', 'Monitor Heartbeat'],
    logger: dependencies.logger,
    handle: async (event) => {
      if (event.detailType === 'Monitor Heartbeat') await beat(event.detail, dependencies);
      else await registerWorker(event.detail, dependencies);
    },
  });
