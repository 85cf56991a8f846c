import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createProfileStore } from '../adapters/dynamodb/profile-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createTimelineStore } from '../adapters/dynamodb/timeline-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createMediaStore } from '../adapters/s3/media-store.ts';
import { systemIds } from '../adapters/system.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { createJobCompletionHandler } from './job-completion.ts';

const wire = (): CompletionDependencies => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.mediaBucketName]: required,
    [ENV.cdnUrl]: required,
    [ENV.eventBusName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.workerAddressPolicy]: z.enum(['any', 'private', 'public']),
    [ENV.storeTempOutputs]: z.enum(['true', 'false']).default('false'),
  });
  const wired = wireJobChange({
    functionName: 'job-completion',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  return {
    ...wired,
    outputs: createOutputStore(wired),
    workers: createWorkerStore(wired),
    timeline: createTimelineStore(wired),
    profiles: createProfileStore(wired),
    queue: createQueueStore({ ...wired, ids: systemIds }),
    comfyUi: createComfyUi({ addressPolicy: env.WORKER_ADDRESS_POLICY, clock: wired.clock }),
    media: createMediaStore({ bucketName: env.MEDIA_BUCKET_NAME, cdnUrl: env.CDN_URL.replace(/\/+$/, '') }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock: wired.clock }),
    random: Math.random,
    storeTempOutputs: env.STORE_TEMP_OUTPUTS === 'true',
  };
};

export const handler = lazily(() => createJobCompletionHandler(wire()));
