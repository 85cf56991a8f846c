import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createRemoteFiles } from '../adapters/http/remote-files.ts';
import { createCatalogueStore } from '../adapters/s3/catalogue-store.ts';
import { createUploadStore } from '../adapters/s3/upload-store.ts';
import { createDispatchTurns } from '../adapters/dynamodb/dispatch-turns.ts';
import { createInstanceStore } from '../adapters/dynamodb/instance-store.ts';
import { createJobIndex } from '../adapters/dynamodb/job-index.ts';
import { createProfileStore } from '../adapters/dynamodb/profile-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemIds } from '../adapters/system.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { createChokes } from '../core/dispatch/chokes.ts';
import { lazily } from '../core/lazily.ts';
import { createDispatchHandler, type WakeUpDependencies } from './dispatch.ts';

/** A pod that is gone is asked once, by a sweep that has others to look after. */
const HASTY_MS = 3000;

const addressPolicy = z.enum(['any', 'private', 'public']);

const wire = (): WakeUpDependencies => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.eventBusName]: required,
    [ENV.uploadBucketName]: required,
    [ENV.workerAddressPolicy]: addressPolicy,
    [ENV.outboundAddressPolicy]: addressPolicy,
    [ENV.prefetchDepth]: z.coerce.number().int().min(0).max(8),
    [ENV.maxRunningPerUser]: z.coerce.number().int().min(1).max(1000),
    [ENV.workerLeaseSeconds]: z.coerce.number().int().min(3).max(3600),
  });
  const wired = wireJobChange({
    functionName: 'dispatch',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  const { clock } = wired;
  const bucketName = env.WORKFLOW_BUCKET_NAME;
  return {
    ...wired,
    index: createJobIndex(wired),
    profiles: createProfileStore(wired),
    turns: createDispatchTurns(wired),
    shares: createShareStore(wired),
    queue: createQueueStore({ ...wired, ids: systemIds }),
    workers: createWorkerStore(wired),
    instances: createInstanceStore(wired),
    workflows: createWorkflowStore({ bucketName }),
    catalogues: createCatalogueStore({ bucketName }),
    uploads: createUploadStore({ bucketName: env.UPLOAD_BUCKET_NAME, clock }),
    remoteFiles: createRemoteFiles({ addressPolicy: env.OUTBOUND_ADDRESS_POLICY, clock }),
    comfyUi: createComfyUi({ addressPolicy: env.WORKER_ADDRESS_POLICY, clock }),
    hastyComfyUi: createComfyUi({ addressPolicy: env.WORKER_ADDRESS_POLICY, clock, timeoutMs: HASTY_MS }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    ids: systemIds,
    random: Math.random,
    limits: {
      prefetchDepth: env.PREFETCH_DEPTH,
      maxRunningPerUser: env.MAX_RUNNING_PER_USER,
      workerLeaseMs: env.WORKER_LEASE_SECONDS * 1000,
    },
    chokes: createChokes(),
    addressPolicy: env.WORKER_ADDRESS_POLICY,
  };
};

export const handler = lazily(() => createDispatchHandler(wire()));
