import { ENV } from '../../shared-types/index.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { createLogger } from '../adapters/logger.ts';
import { createWorkflowStore } from '../adapters/s3/workflow-store.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createSubmitTaskHandler } from './submit-task.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.workflowBucketName]: required,
    [ENV.eventBusName]: required,
  });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createSubmitTaskHandler({
    jobs: createJobStore({ table, clock }),
    queue: createQueueStore({ table, clock }),
    workflows: createWorkflowStore({ bucketName: env.WORKFLOW_BUCKET_NAME }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock }),
    clock,
    ids,
    logger: createLogger({ functionName: 'submit-task' }),
  });
});
