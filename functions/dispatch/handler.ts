import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemIds } from '../adapters/system.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import { createDispatchHandler, type WakeUpDependencies } from './dispatch.ts';

const wire = (): WakeUpDependencies => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.eventBusName]: required,
    [ENV.workerAddressPolicy]: z.enum(['any', 'private', 'public']),
  });
  const wired = wireJobChange({
    functionName: 'dispatch',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  const addressPolicy = env.WORKER_ADDRESS_POLICY;
  return {
    ...wired,
    queue: createQueueStore(wired),
    workers: createWorkerStore(wired),
    workflows: createWorkflowStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    comfyUi: createComfyUi({ addressPolicy, clock: wired.clock }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock: wired.clock }),
    ids: systemIds,
    random: Math.random,
    addressPolicy,
  };
};

export const handler = lazily(() => createDispatchHandler(wire()));
