import { ENV } from '../../shared-types/index.ts';
import { createQueueStore } from '../adapters/dynamodb/queue-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createEventPublisher } from '../adapters/eventbridge/event-publisher.ts';
import { systemIds } from '../adapters/system.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import { createJobFailureHandler } from './job-failure.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.webSocketApiEndpoint]: required,
    [ENV.eventBusName]: required,
  });
  const wired = wireJobChange({
    functionName: 'job-failure',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  return createJobFailureHandler({
    ...wired,
    queue: createQueueStore({ ...wired, ids: systemIds }),
    publisher: createEventPublisher({ busName: env.EVENT_BUS_NAME, clock: wired.clock }),
    random: Math.random,
  });
});
