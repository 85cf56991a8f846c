import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createProfileStore } from '../adapters/dynamodb/profile-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createShareStore } from '../adapters/dynamodb/share-store.ts';
import { createTimelineStore } from '../adapters/dynamodb/timeline-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createWorkerStore } from '../adapters/dynamodb/worker-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createCatalogueStore } from '../adapters/s3/catalogue-store.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { createExpectedDuration } from '../core/estimate/expected-duration.ts';
import { lazily } from '../core/lazily.ts';
import { createGetTaskHandler } from './get-task.ts';

/** Characters of JSON; in memory they are several times that. */
const CACHED_CATALOGUES = 16 * 1024 * 1024;

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.maxRunningPerUser]: z.coerce.number().int().min(1).max(1000),
  });
  const table = createTable({ tableName: env.TABLE_NAME });
  const logger = createLogger({ functionName: 'get-task' });
  const options = { table, clock, logger };
  const workflows = createWorkflowStore({ bucketName: env.WORKFLOW_BUCKET_NAME });
  const profiles = createProfileStore(options);
  return createGetTaskHandler({
    jobs: createJobStore(options),
    outputs: createOutputStore(options),
    workflows,
    expectedDuration: createExpectedDuration({ profiles, workflows, logger }),
    queue: createQueueStore({ ...options, ids }),
    shares: createShareStore(options),
    workers: createWorkerStore(options),
    catalogues: createCatalogueStore({
      bucketName: env.WORKFLOW_BUCKET_NAME,
      maxCachedLength: CACHED_CATALOGUES,
    }),
    maxRunningPerUser: env.MAX_RUNNING_PER_USER,
    timeline: createTimelineStore(options),
    clock,
    logger,
  });
});
