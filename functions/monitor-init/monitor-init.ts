import type { DetailOf } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { PipelineError } from '../core/errors.ts';
import { learnCatalogue, type LearnDependencies } from '../core/learn-catalogue.ts';
import { registerWorker, type RegisterDependencies } from '../core/register-worker.ts';

export type MonitorInitDependencies = RegisterDependencies & LearnDependencies;

const beat = async (
  { workerId, clientId, bootId, sequence, timestamp, state }: DetailOf<'Monitor Heartbeat'>,
  { workers, logger }: MonitorInitDependencies,
): Promise<void> => {
  const report = { workerId, clientId, bootId, sequence, timestamp };
  const answer = await workers.heartbeat({ ...report, available: state !== 'unreachable' });
  if (answer === 'refused') logger.info('heartbeat.stale', { workerId, sequence });
};

/** The dispatcher registers the worker as well, and may have come first: the boot tells whether it is this one. */
const init = async (
  detail: DetailOf<'Monitor Initialized'>,
  deps: MonitorInitDependencies,
): Promise<void> => {
  if ((await registerWorker(detail, deps)) === 'pending') {
    // Scaling asks its provider each minute; the event is delivered again after one and after three.
    const message = `the provider of ${detail.workerId} has not told its address yet`;
    throw new PipelineError('worker.address-pending', message, { retryable: true });
  }
  const worker = await deps.workers.get(detail.workerId);
  if (worker?.bootId === detail.bootId) await learnCatalogue(worker, deps);
};

/** Monitor Initialized registers the worker and learns what it can run; Monitor Heartbeat keeps its lease. */
export const createMonitorInitHandler = (dependencies: MonitorInitDependencies): LambdaHandler =>
  eventHandler({
    accepts: ['Monitor Initialized', 'Monitor Heartbeat'],
    logger: dependencies.logger,
    handle: async (event) => {
      if (event.detailType === 'Monitor Heartbeat') await beat(event.detail, dependencies);
      else await init(event.detail, dependencies);
    },
  });
