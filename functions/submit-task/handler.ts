import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createIdempotencyStore } from '../adapters/dynamodb/idempotency-store.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createStoredWorkflowStore } from '../adapters/dynamodb/stored-workflow-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createLogger } from '../adapters/logger.ts';
import { createCatalogueStore } from '../adapters/s3/catalogue-store.ts';
import { createUploadStore } from '../adapters/s3/upload-store.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createSubmitTaskHandler } from './submit-task.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.uploadBucketName]: required,
    [ENV.eventBusName]: required,
    [ENV.outboundAddressPolicy]: z.enum(['any', 'private', 'public']),
  });
  const table = createTable({ tableName: env.TABLE_NAME });
  const logger = createLogger({ functionName: 'submit-task' });
  const options = { table, clock, logger };
  return createSubmitTaskHandler({
    jobs: createJobStore(options),
    idempotency: createIdempotencyStore(options),
    queue: createQueueStore({ ...options, ids }),
    workers: createWorkerStore(options),
    storedWorkflows: createStoredWorkflowStore(options),
    workflows: createWorkflowStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    catalogues: createCatalogueStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    uploads: createUploadStore({ bucketName: env.UPLOAD_BUCKET_NAME, clock }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    outboundPolicy: env.OUTBOUND_ADDRESS_POLICY,
    clock,
    ids,
    logger,
  });
});
