import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createConnectionStore } from '../adapters/dynamodb/connection-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createTicketStore } from '../adapters/dynamodb/ticket-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { openAccessOf } from '../adapters/open-access.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createConnectHandler } from './connect.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.stage]: required,
    [ENV.openAccess]: z.enum(['true', 'false']),
  });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createConnectHandler({
    connections: createConnectionStore({ table, clock }),
    tickets: createTicketStore({ table, clock }),
    clock,
    openAccess: openAccessOf(env),
    logger: createLogger({ functionName: 'connect' }),
  });
});
