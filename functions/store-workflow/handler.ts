import { ENV } from '../../shared-types/index.ts';
import { createStoredWorkflowStore } from '../adapters/dynamodb/stored-workflow-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createStoreWorkflowHandler } from './store-workflow.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const logger = createLogger({ functionName: 'store-workflow' });
  const table = createTable({ tableName: env.TABLE_NAME });
  const storedWorkflows = createStoredWorkflowStore({ table, logger });
  return createStoreWorkflowHandler({ storedWorkflows, clock, logger });
});
