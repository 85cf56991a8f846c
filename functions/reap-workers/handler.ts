import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createReachedProviders } from '../adapters/providers/provider-registry.ts';
import { createProviderSecrets } from '../adapters/providers/provider-secrets.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { readReached } from '../core/scaling/reached-providers.ts';
import { createReapWorkersHandler } from './reap-workers.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.stage]: required,
    [ENV.workerPools]: z.string().default(''),
    [ENV.workerProviders]: z.string().default(''),
    [ENV.providerSecretArn]: z.string().default(''),
  });
  const secrets = createProviderSecrets({ secretArn: env.PROVIDER_SECRET_ARN, clock });
  const { reached, problems } = readReached({ pools: env.WORKER_POOLS, providers: env.WORKER_PROVIDERS });
  return createReapWorkersHandler({
    reached: createReachedProviders(reached, { secrets, clock }),
    problems,
    stage: env.STAGE,
    clock,
    logger: createLogger({ functionName: 'reap-workers' }),
  });
});
