/** Dependencies that several handlers make in the same way, each from its own environment. */
import { createJobStore } from './dynamodb/job-store.ts';
import { createSubscriptionStore } from './dynamodb/subscription-store.ts';
import { createTable } from './dynamodb/table.ts';
import { createLogger } from './logger.ts';
import { systemClock as clock } from './system.ts';
import { createPusher } from './web-socket/pusher.ts';

/** What it takes to change a job and to tell its followers. */
export const wireJobChange = (options: {
  readonly functionName: string;
  readonly tableName: string;
  readonly webSocketApiEndpoint: string;
}) => {
  const table = createTable({ tableName: options.tableName });
  return {
    table,
    clock,
    jobs: createJobStore({ table, clock }),
    subscriptions: createSubscriptionStore({ table, clock }),
    pusher: createPusher({ webSocketApiEndpoint: options.webSocketApiEndpoint }),
    logger: createLogger({ functionName: options.functionName }),
  };
};
