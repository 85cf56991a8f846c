import { ENV } from '../../shared-types/index.ts';
import { createConnectionStore } from '../adapters/dynamodb/connection-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createConnectHandler } from './connect.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createConnectHandler({
    connections: createConnectionStore({ table, clock }),
    logger: createLogger({ functionName: 'connect' }),
  });
});
