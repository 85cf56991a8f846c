import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import { createJobStartHandler } from './job-start.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  return createJobStartHandler(
    wireJobChange({
      functionName: 'job-start',
      tableName: env.TABLE_NAME,
      webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
    }),
  );
});
