import { createLogger } from '../adapters/logger.ts';
import { lazily } from '../core/lazily.ts';
import { createApiReferenceHandler } from './api-reference.ts';

export const handler = lazily(() =>
  createApiReferenceHandler({ logger: createLogger({ functionName: 'api-reference' }) }),
);
