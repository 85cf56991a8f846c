import { ENV } from '../../shared-types/index.ts';
import { createTimelineStore } from '../adapters/dynamodb/timeline-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { wireJobChange } from '../adapters/wiring.ts';
import { lazily } from '../core/lazily.ts';
import { createJobProgressHandler } from './job-progress.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  const wired = wireJobChange({
    functionName: 'job-progress',
    tableName: env.TABLE_NAME,
    webSocketApiEndpoint: env.WEBSOCKET_API_ENDPOINT,
  });
  return createJobProgressHandler({ ...wired, timeline: createTimelineStore(wired) });
});
