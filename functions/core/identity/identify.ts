/** Who calls, by the credentials that came with the request. */
import type { ApiKeyStore, ApiScope, Clock } from '../ports.ts';
import { readCredential, type Credential } from './credential.ts';
import { ALL_SCOPES } from './scopes.ts';
import { isLocalCaller } from './local-caller.ts';
import { hashOfSecret } from './secret.ts';
import { LOCAL_USER } from './user-id.ts';

export type Identity =
  | { readonly kind: 'known'; readonly userId: string; readonly scopes: readonly ApiScope[] }
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

export type RefusalReason =
  | 'noCredentials'
  | 'malformed'
  | 'unknownKey'
  | 'revokedKey'
  | 'expiredKey'
  | 'badToken'
  | 'expiredToken'
  | 'noTokens'
  | 'foreignPage';

/** Checks a token of the issuer. */
export interface TokenVerifier {
  verify(token: string): Promise<Identity>;
}

export interface IdentifyDependencies {
  readonly keys: Pick<ApiKeyStore, 'findBySecret'>;
  /** Undefined where no issuer is configured. */
  readonly tokens: TokenVerifier | undefined;
  readonly clock: Pick<Clock, 'now'>;
  /** On the stage `local` alone: without credentials everybody is one user who may do anything. */
  readonly openAccess: boolean;
}

/** By lower-case name. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

const refused = (reason: RefusalReason): Identity => ({ kind: 'refused', reason });

const byKey = async (
  { keyId, secret }: Extract<Credential, { kind: 'apiKey' }>,
  { keys, clock }: IdentifyDependencies,
): Promise<Identity> => {
  const key = await keys.findBySecret(hashOfSecret(secret));
  if (key === undefined || key.keyId !== keyId) return refused('unknownKey');
  if (key.revokedAt !== null) return refused('revokedKey');
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= clock.now()) return refused('expiredKey');
  return { kind: 'known', userId: key.userId, scopes: key.scopes };
};

const byPlace = (headers: RequestHeaders, openAccess: boolean): Identity => {
  if (!openAccess) return refused('noCredentials');
  return isLocalCaller(headers)
    ? { kind: 'known', userId: LOCAL_USER, scopes: ALL_SCOPES }
    : refused('foreignPage');
};

/** Credentials that were sent count even where none are needed: a wrong key is never taken for a missing one. */
export const identify = async (
  headers: RequestHeaders,
  dependencies: IdentifyDependencies,
): Promise<Identity> => {
  const credential = readCredential(headers['authorization']);
  switch (credential.kind) {
    case 'none':
      return byPlace(headers, dependencies.openAccess);
    case 'malformed':
      return refused('malformed');
    case 'apiKey':
      return byKey(credential, dependencies);
    case 'token':
      return dependencies.tokens?.verify(credential.token) ?? refused('noTokens');
  }
};

/** One line for the caller that says what to do. */
export const refusalText: Readonly<Record<RefusalReason, string>> = {
  noCredentials: 'send `Authorization: Bearer` with a token or an API key',
  malformed: 'the Authorization header must read `Bearer <token or API key>`',
  unknownKey: 'there is no such API key; make one with POST /api/v1/keys',
  revokedKey: 'this API key was revoked; make another with POST /api/v1/keys',
  expiredKey: 'this API key has expired; make another with POST /api/v1/keys',
  badToken: 'the token is not one that the issuer gave for this API',
  expiredToken: 'the token has expired; get another from the issuer',
  noTokens: 'tokens are not accepted here; send an API key',
  foreignPage: 'without an API key only this machine is served, and no page of another site',
};
