import * as z from 'zod';
import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { lazily } from '../core/lazily.ts';
import { createAuthorizeConnectionHandler, keysOfIssuer } from './authorize-connection.ts';

const fetchJson = async (url: string): Promise<unknown> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
  return response.json();
};

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.jwtIssuer]: z.url(), [ENV.jwtAudience]: required });
  return createAuthorizeConnectionHandler({
    issuer: env.JWT_ISSUER,
    audience: env.JWT_AUDIENCE,
    keys: keysOfIssuer(env.JWT_ISSUER, fetchJson),
    logger: createLogger({ functionName: 'authorize-connection' }),
  });
});
