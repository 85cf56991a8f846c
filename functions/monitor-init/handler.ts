import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createComfyUi } from '../adapters/comfyui/comfyui.ts';
import { createInstanceStore } from '../adapters/dynamodb/instance-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createCatalogueStore } from '../adapters/s3/catalogue-store.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createMonitorInitHandler } from './monitor-init.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.workerAddressPolicy]: z.enum(['any', 'private', 'public']),
  });
  const addressPolicy = env.WORKER_ADDRESS_POLICY;
  const logger = createLogger({ functionName: 'monitor-init' });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock, logger };
  return createMonitorInitHandler({
    workers: createWorkerStore(stores),
    instances: createInstanceStore(stores),
    catalogues: createCatalogueStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    comfyUi: createComfyUi({ addressPolicy, clock }),
    clock,
    addressPolicy,
    logger,
  });
});
