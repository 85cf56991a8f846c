import { ENV } from '../../shared-types/index.ts';
import { createInstanceStore } from '../adapters/dynamodb/instance-store.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createManageWorkersHandler } from './manage-workers.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.eventBusName]: required });
  const logger = createLogger({ functionName: 'manage-workers' });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock, logger };
  return createManageWorkersHandler({
    workers: createWorkerStore(stores),
    instances: createInstanceStore(stores),
    jobs: createJobStore(stores),
    queue: createQueueStore({ ...stores, ids }),
    shares: createShareStore(stores),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    logger,
  });
});
