import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createInstanceStore } from '../adapters/dynamodb/instance-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createProviderRegistry } from '../adapters/providers/provider-registry.ts';
import { createProviderSecrets } from '../adapters/providers/provider-secrets.ts';
import { createCatalogueStore } from '../adapters/s3/catalogue-store.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import type { ScalingDependencies } from '../core/scaling/ports.ts';
import { requirePools } from '../core/scaling/require-pools.ts';
import { createScaleWorkersHandler } from './scale-workers.ts';

const wire = (): ScalingDependencies => {
  const env = readEnvironment({
    [ENV.stage]: required,
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.eventBusName]: required,
    [ENV.workerPools]: z.string().default(''),
    [ENV.providerSecretArn]: z.string().default(''),
    [ENV.maxRunningPerUser]: z.coerce.number().int().min(1).max(1000),
    [ENV.previewFunctionName]: z.string().default(''),
    AWS_REGION: required,
  });
  const pools = requirePools(env.WORKER_POOLS);
  const logger = createLogger({ functionName: 'scale-workers' });
  const secrets = createProviderSecrets({ secretArn: env.PROVIDER_SECRET_ARN, clock });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock, logger, ids };
  return {
    pools,
    providers: createProviderRegistry({ pools, secrets, clock }),
    stage: env.STAGE,
    instances: createInstanceStore(stores),
    shares: createShareStore(stores),
    queue: createQueueStore(stores),
    workers: createWorkerStore(stores),
    catalogues: createCatalogueStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    secrets,
    clock,
    ids,
    logger,
    maxRunningPerUser: env.MAX_RUNNING_PER_USER,
    monitor: {
      eventBusName: env.EVENT_BUS_NAME,
      region: env.AWS_REGION,
      previewFunctionName: env.PREVIEW_FUNCTION_NAME,
    },
  };
};

export const handler = lazily(() => createScaleWorkersHandler(wire()));
