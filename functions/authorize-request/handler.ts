import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { createApiKeyStore } from '../adapters/dynamodb/api-key-store.ts';
import { createTable } from '../adapters/dynamodb/table.ts';
import { openAccessOf } from '../adapters/open-access.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { systemClock as clock } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createAuthorizeRequestHandler } from './authorize-request.ts';
import { createTokenVerifier, keysOfIssuer } from './verify-token.ts';

/** A key set is a few kilobytes; an issuer that takes longer than this is down. */
const ISSUER_TIMEOUT_MS = 5000;

const fetchJson = async (url: string): Promise<unknown> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
  return response.json();
};

export const handler = lazily(() => {
  const env = readEnvironment({
    [ENV.tableName]: required,
    [ENV.stage]: required,
    [ENV.openAccess]: z.enum(['true', 'false']),
    // Empty when there are API keys only.
    [ENV.jwtIssuer]: z.union([z.literal(''), z.url()]),
    [ENV.jwtAudience]: z.string(),
  });
  const logger = createLogger({ functionName: 'authorize-request' });
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = env;
  const keys = keysOfIssuer(issuer, fetchJson);
  return createAuthorizeRequestHandler({
    keys: createApiKeyStore({ table: createTable({ tableName: env.TABLE_NAME }), clock }),
    tokens: issuer === '' ? undefined : createTokenVerifier({ issuer, audience, keys, logger }),
    clock,
    openAccess: openAccessOf(env),
    logger,
  });
});
