import { ENV } from '../../shared-types/index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { createPusher } from '../adapters/web-socket/pusher.ts';
import { lazily } from '../core/lazily.ts';
import { createPushPreviewHandler } from './push-preview.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock };
  return createPushPreviewHandler({
    jobs: createJobStore(stores),
    subscriptions: createSubscriptionStore(stores),
    pusher: createPusher({ webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT }),
    clock,
    logger: createLogger({ functionName: 'push-preview' }),
  });
});
