/** Tokens of any OIDC issuer, checked against the issuer's own keys. */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Identity, RefusalReason, TokenVerifier } from '../core/identity/identify.ts';
import { USER_SCOPES } from '../core/identity/scopes.ts';
import { isUserId } from '../core/identity/user-id.ts';
import type { ApiScope, Logger } from '../core/ports.ts';

export interface TokenOptions {
  readonly issuer: string;
  /** What `aud` must name, or `client_id` in a token without `aud`. */
  readonly audience: string;
  /** Public keys of the issuer. */
  readonly keys: JWTVerifyGetKey;
  readonly logger: Logger;
}

/** Clocks of issuer and Lambda may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** Asymmetric algorithms only: a shared secret or `none` would let anyone sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** The scope by which an issuer makes somebody an operator of this API; `admin` alone may mean its own. */
const ADMIN_CLAIM = 'comfyui:admin';

/**
 * Reads the issuer's key set address from its discovery document (OpenID Connect Discovery 1.0, section 4,
 * https://openid.net/specs/openid-connect-discovery-1_0.html) on the first token, and keeps it.
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

/** `client_id` counts only when there is no `aud`: access tokens of Cognito have none. */
const isForAudience = (payload: JWTPayload, audience: string): boolean => {
  const claimed: unknown = payload.aud ?? payload['client_id'];
  return Array.isArray(claimed) ? claimed.includes(audience) : claimed === audience;
};

/** Issuers write scopes as one text or as a list, under one of three names. */
const namesIn = (claim: unknown): readonly unknown[] =>
  typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];

const scopesOf = (payload: JWTPayload): readonly ApiScope[] => {
  const granted = ['scope', 'scp', 'permissions'].flatMap((name) => namesIn(payload[name]));
  return granted.includes(ADMIN_CLAIM) ? [...USER_SCOPES, 'admin'] : USER_SCOPES;
};

const identityIn = (payload: JWTPayload, audience: string): Identity =>
  isForAudience(payload, audience) && isUserId(payload.sub)
    ? { kind: 'known', userId: payload.sub, scopes: scopesOf(payload) }
    : { kind: 'refused', reason: 'badToken' };

const reasonOf = (error: unknown): RefusalReason =>
  error instanceof errors.JWTExpired ? 'expiredToken' : 'badToken';

/** The token is never logged, only why it was refused. */
export const createTokenVerifier = ({ issuer, audience, keys, logger }: TokenOptions): TokenVerifier => ({
  verify: async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['sub', 'exp'],
      });
      return identityIn(payload, audience);
    } catch (error) {
      logger.warn('authorize.token', { reason: error instanceof Error ? error.name : 'unknown' });
      return { kind: 'refused', reason: reasonOf(error) };
    }
  },
});
