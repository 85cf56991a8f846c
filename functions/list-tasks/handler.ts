import { ENV } from '../../shared-types/index.ts';
import { createInstanceStore } from '../adapters/dynamodb/instance-store.ts';
import { createJobIndex } from '../adapters/dynamodb/job-index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createListTasksHandler } from './list-tasks.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  const logger = createLogger({ functionName: 'list-tasks' });
  const options = { table, clock, logger };
  return createListTasksHandler({
    index: createJobIndex(options),
    jobs: createJobStore(options),
    workers: createWorkerStore(options),
    instances: createInstanceStore(options),
    logger,
  });
});
