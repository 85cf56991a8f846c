import { ENV } from '../../shared-types/index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createGetTaskHandler } from './get-task.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.workflowBucketName]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createGetTaskHandler({
    jobs: createJobStore({ table, clock }),
    outputs: createOutputStore({ table, clock }),
    workflows: createWorkflowStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    logger: createLogger({ functionName: 'get-task' }),
  });
});
