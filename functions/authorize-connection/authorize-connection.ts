/** Lambda authorizer of $connect: a token of any OIDC issuer, checked against the issuer's own keys. */
import { createRemoteJWKSet, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Logger } from '../core/ports.ts';

export interface AuthorizeDependencies {
  readonly issuer: string;
  /** What `aud` must name, or `client_id` in a token without `aud`. */
  readonly audience: string;
  /** Public keys of the issuer. */
  readonly keys: JWTVerifyGetKey;
  readonly logger: Logger;
}

export interface AuthorizerEvent {
  readonly methodArn: string;
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null;
}

export interface AuthorizerAnswer {
  readonly principalId: string;
  readonly policyDocument: {
    readonly Version: '2012-10-17';
    readonly Statement: readonly [
      { readonly Action: 'execute-api:Invoke'; readonly Effect: 'Allow'; readonly Resource: string },
    ];
  };
}

/** Clocks of issuer and Lambda may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** Asymmetric algorithms only: a shared secret or `none` would let anyone sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/**
 * Reads the issuer's key set address from its discovery document (OpenID Connect Discovery 1.0, section 4) on
 * the first token, and keeps it.
 */
export const keysOfIssuer = (
  issuer: string,
  fetchJson: (url: string) => Promise<unknown>,
): JWTVerifyGetKey => {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const discover = async (): Promise<JWTVerifyGetKey> => {
    const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const uri = (document as { jwks_uri?: unknown } | null)?.jwks_uri;
    if (typeof uri !== 'string') throw new Error('the discovery document names no jwks_uri');
    return createRemoteJWKSet(new URL(uri));
  };
  return async (header, token) => {
    keys ??= discover().catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    return (await keys)(header, token);
  };
};

const allow = (principalId: string, resource: string): AuthorizerAnswer => ({
  principalId,
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: resource }],
  },
});

/**
 * As the JWT authorizer of an HTTP API has it, so that one token opens both: `client_id` counts only when there is
 * no `aud` (access tokens of Cognito have none).
 */
const isForAudience = (payload: JWTPayload, audience: string): boolean => {
  const claimed: unknown = payload.aud ?? payload['client_id'];
  return Array.isArray(claimed) ? claimed.includes(audience) : claimed === audience;
};

const isSubject = (subject: unknown): subject is string =>
  typeof subject === 'string' && subject !== '' && subject.length <= 128;

/** API Gateway answers the handshake with 401 for this very message, and with 500 for any other. */
const unauthorized = (): Error => new Error('Unauthorized');

/** The token is never logged, only why it was refused. */
export const createAuthorizeConnectionHandler =
  ({ issuer, audience, keys, logger }: AuthorizeDependencies) =>
  async (event: AuthorizerEvent): Promise<AuthorizerAnswer> => {
    const token = event.queryStringParameters?.['token'];
    if (token === undefined || token === '') throw unauthorized();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['sub', 'exp'],
      });
      if (isForAudience(payload, audience) && isSubject(payload.sub)) {
        return allow(payload.sub, event.methodArn);
      }
      logger.warn('authorize.refused', { reason: 'audience or subject' });
    } catch (error) {
      logger.warn('authorize.refused', { reason: error instanceof Error ? error.name : 'unknown' });
    }
    throw unauthorized();
  };
