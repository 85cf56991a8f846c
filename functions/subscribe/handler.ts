import { ENV } from '../../shared-types/index.ts';
import { createConnectionStore } from '../adapters/dynamodb/connection-store.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createTimelineStore } from '../adapters/dynamodb/timeline-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { createPusher } from '../adapters/web-socket/pusher.ts';
import { lazily } from '../core/lazily.ts';
import { createSubscribeHandler } from './subscribe.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  const logger = createLogger({ functionName: 'subscribe' });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock, logger };
  return createSubscribeHandler({
    jobs: createJobStore(stores),
    outputs: createOutputStore(stores),
    timeline: createTimelineStore(stores),
    connections: createConnectionStore(stores),
    subscriptions: createSubscriptionStore(stores),
    queue: createQueueStore({ ...stores, ids }),
    shares: createShareStore(stores),
    workers: createWorkerStore(stores),
    pusher: createPusher({ webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT }),
    clock,
    logger,
  });
});
