import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createProviderRegistry } from '../adapters/providers/provider-registry.ts';
import { createProviderSecrets } from '../adapters/providers/provider-secrets.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { requirePools } from '../core/scaling/require-pools.ts';
import { createReapWorkersHandler } from './reap-workers.ts';

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.stage]: required,
    [ENV.workerPools]: z.string().default(''),
    [ENV.providerSecretArn]: z.string().default(''),
  });
  const pools = requirePools(env.WORKER_POOLS);
  const secrets = createProviderSecrets({ secretArn: env.PROVIDER_SECRET_ARN, clock });
  return createReapWorkersHandler({
    pools,
    providers: createProviderRegistry({ pools, secrets, clock }),
    stage: env.STAGE,
    clock,
    logger: createLogger({ functionName: 'reap-workers' }),
  });
});
