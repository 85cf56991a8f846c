import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { systemIds as ids } from '../adapters/system.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import { createChangeTaskHandler } from './change-task.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.eventBusName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.workerAddressPolicy]: z.enum(['any', 'private', 'public']),
  });
  const wired = wireJobChange({
    functionName: 'change-task',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  const { clock } = wired;
  return createChangeTaskHandler({
    ...wired,
    queue: createQueueStore({ ...wired, ids }),
    workers: createWorkerStore(wired),
    comfyUi: createComfyUi({ addressPolicy: env.WORKER_ADDRESS_POLICY, clock }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    random: Math.random,
  });
});
