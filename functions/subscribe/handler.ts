import { ENV } from '../../shared-types/index.ts';
import { createConnectionStore } from '../adapters/dynamodb/connection-store.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { createPusher } from '../adapters/web-socket/pusher.ts';
import { lazily } from '../core/lazily.ts';
import { createSubscribeHandler } from './subscribe.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createSubscribeHandler({
    jobs: createJobStore({ table, clock }),
    outputs: createOutputStore({ table, clock }),
    connections: createConnectionStore({ table, clock }),
    subscriptions: createSubscriptionStore({ table, clock }),
    pusher: createPusher({ webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT }),
    logger: createLogger({ functionName: 'subscribe' }),
  });
});
