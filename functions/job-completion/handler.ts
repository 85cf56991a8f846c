import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createSubscriptionStore } from '../adapters/dynamodb/subscription-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createLogger } from '../adapters/logger.ts';
import { createMediaStore } from '../adapters/s3/media-store.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { createPusher } from '../adapters/web-socket/pusher.ts';
import { lazily } from '../core/lazily.ts';
import { createJobCompletionHandler } from './job-completion.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.mediaBucketName]: required,
    [ENV.cdnUrl]: required,
    [ENV.eventBusName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.workerAddressPolicy]: z.enum(['any', 'private', 'public']),
    [ENV.storeTempOutputs]: z.enum(['true', 'false']).default('false'),
  });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createJobCompletionHandler({
    jobs: createJobStore({ table, clock }),
    outputs: createOutputStore({ table, clock }),
    workers: createWorkerStore({ table, clock }),
    queue: createQueueStore({ table, clock }),
    subscriptions: createSubscriptionStore({ table, clock }),
    comfyUi: createComfyUi({ addressPolicy: env.WORKER_ADDRESS_POLICY, clock }),
    media: createMediaStore({ bucketName: env.MEDIA_BUCKET_NAME, cdnUrl: env.CDN_URL.replace(/\/+$/, '') }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    pusher: createPusher({ webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT }),
    clock,
    random: Math.random,
    logger: createLogger({ functionName: 'job-completion' }),
    storeTempOutputs: env.STORE_TEMP_OUTPUTS === 'true',
  });
});
