import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import type { Logger, WorkerStore } from '../core/ports.ts';

export interface MonitorStoppedDependencies {
  readonly workers: WorkerStore;
  readonly logger: Logger;
}

/**
 * Monitor Stopped takes the worker out of the choice. What it runs goes on: ComfyUI is another process, and a
 * monitor that comes back reports it; one that does not is the sweep's.
 */
export const createMonitorStoppedHandler = ({ workers, logger }: MonitorStoppedDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Monitor Stopped'],
    logger,
    handle: async ({ detail: { workerId, clientId, bootId, sequence, timestamp, reason } }) => {
      const answer = await workers.stop({ workerId, clientId, bootId, sequence, timestamp });
      logger.info('worker.stopped', { workerId, reason, answer });
    },
  });
