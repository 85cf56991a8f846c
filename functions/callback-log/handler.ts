import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createCallbackStore } from '../adapters/dynamodb/callback-store.ts';
import { createJobStore } from '../adapters/dynamodb/job-store.ts';
import { createOutputStore } from '../adapters/dynamodb/output-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createCallbackSender } from '../adapters/http/callback-sender.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemSecrets } from '../adapters/random-secrets.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { SECRET_BYTES } from '../core/callbacks/standard-webhooks.ts';
import { lazily } from '../core/lazily.ts';
import { createCallbackLogHandler } from './callback-log.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.outboundAddressPolicy]: z.enum(['any', 'private', 'public']),
  });
  const logger = createLogger({ functionName: 'callback-log' });
  const stores = { table: createTable({ tableName: env.TABLE_NAME }), clock, logger };
  return createCallbackLogHandler({
    jobs: createJobStore(stores),
    outputs: createOutputStore(stores),
    callbacks: createCallbackStore(stores),
    sender: createCallbackSender({ addressPolicy: env.OUTBOUND_ADDRESS_POLICY, clock }),
    clock,
    random: Math.random,
    secretBytes: () => systemSecrets.bytes(SECRET_BYTES),
    logger,
  });
});
