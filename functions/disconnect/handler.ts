import { ENV } from '../../shared-types/index.ts';
import { createConnectionStore } from '../adapters/dynamodb/connection-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createDisconnectHandler } from './disconnect.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createDisconnectHandler({
    connections: createConnectionStore({ table, clock }),
    subscriptions: createSubscriptionStore({ table, clock }),
    logger: createLogger({ functionName: 'disconnect' }),
  });
});
