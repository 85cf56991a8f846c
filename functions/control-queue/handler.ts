import { ENV } from '../../shared-types/index.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createControlQueueHandler } from './control-queue.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const logger = createLogger({ functionName: 'control-queue' });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createControlQueueHandler({ shares: createShareStore({ table, clock, logger }), logger });
});
