import { ENV } from '../../shared-types/index.ts';
import { createApiKeyStore } from '../adapters/dynamodb/api-key-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { createTicketStore } from '../adapters/dynamodb/ticket-store.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemSecrets as secrets } from '../adapters/random-secrets.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createIssueCredentialsHandler } from './issue-credentials.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.tableName]: required, [ENV.webSocketApiEndpoint]: required });
  const table = createTable({ tableName: env.TABLE_NAME });
  return createIssueCredentialsHandler({
    keys: createApiKeyStore({ table, clock }),
    tickets: createTicketStore({ table, clock }),
    clock,
    secrets,
    webSocketUrl: env.WEBSOCKET_API_ENDPOINT,
    logger: createLogger({ functionName: 'issue-credentials' }),
  });
});
