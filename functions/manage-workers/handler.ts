import { ENV } from '../../shared-types/index.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createManageWorkersHandler } from './manage-workers.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const logger = createLogger({ functionName: 'manage-workers' });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createManageWorkersHandler({ workers: createWorkerStore({ table, clock, logger }), logger });
});
