import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload, LocalJWKSet } from 'jose';
import type { JwtAuthorizer } from './api-model.ts';
import type { AuthorizerResult, RoutedRequest } from './http-event.ts';
import { gatewayError } from './http-response.ts';
import type { HttpAnswer } from './http-response.ts';
import { httpIdentity } from './identity-source.ts';
import { isPlainObject } from './properties.ts';

/** The public keys of an issuer; rejects when they can't be had. */
export type FetchJwks = (issuer: string) => Promise<JSONWebKeySet>;

export type AuthorizerDecision =
  | { readonly kind: 'allow'; readonly authorizer: AuthorizerResult }
  | { readonly kind: 'refuse'; readonly answer: HttpAnswer };

/** AWS keeps an issuer's keys for two hours; a key id it has never seen is looked up at most this often. */
const keysKeptMs = 2 * 60 * 60_000;
const unknownKeyRetryMs = 5_000;
const discoveryTimeoutMs = 5_000;
const rsaOnly = ['RS256', 'RS384', 'RS512'];

interface CachedKeys {
  readonly fetchedAt: number;
  readonly keys: LocalJWKSet;
}

/** Checks bearer tokens as an HTTP API's JWT authorizer does: RSA signatures only, no tolerance on the clock. */
export class JwtVerifier {
  readonly #fetchJwks: FetchJwks;
  readonly #now: () => number;
  readonly #cached = new Map<string, Promise<CachedKeys>>();

  constructor(fetchJwks: FetchJwks, now: () => number) {
    this.#fetchJwks = fetchJwks;
    this.#now = now;
  }

  /** Claims land in `requestContext.authorizer.jwt`; refusals are 401, or 403 when only a scope is missing. */
  async authorize(
    authorizer: JwtAuthorizer,
    scopes: readonly string[],
    routed: RoutedRequest,
  ): Promise<AuthorizerDecision> {
    const token = tokenOf(authorizer, routed);
    if (token === undefined) return unauthorized('Bearer');
    const payload = await this.#verify(authorizer, token);
    if (typeof payload === 'string') {
      return unauthorized(
        `Bearer scope="${scopes.join(' ')}" error="invalid_token" error_description="${payload}"`,
      );
    }
    const granted = scopesOf(payload);
    if (scopes.length > 0 && !scopes.some((scope) => granted.includes(scope))) return forbidden(scopes);
    return allowed(payload, scopes.length > 0 ? granted : null);
  }

  /** The claims, or why they don't count. */
  async #verify(authorizer: JwtAuthorizer, token: string): Promise<JWTPayload | string> {
    try {
      if (typeof decodeProtectedHeader(token).kid !== 'string') return 'kid is missing';
      const { payload } = await jwtVerify(token, async (header, jws) => this.#key(authorizer, header, jws), {
        issuer: authorizer.issuer,
        algorithms: rsaOnly,
        requiredClaims: ['exp'],
        currentDate: new Date(this.#now()),
      });
      if (!isForAudience(payload, authorizer.audiences)) return 'the token has an invalid audience';
      if ((payload.iat ?? 0) * 1000 > this.#now()) return 'the token is from the future';
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'the token has expired';
      return error instanceof errors.JOSEError ? 'the token is invalid' : 'the issuer could not be reached';
    }
  }

  async #key(authorizer: JwtAuthorizer, ...call: Parameters<LocalJWKSet>): ReturnType<LocalJWKSet> {
    const cached = await this.#keysOf(authorizer.issuer, keysKeptMs);
    try {
      return await cached.keys(...call);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const fresh = await this.#keysOf(authorizer.issuer, unknownKeyRetryMs);
      return fresh.keys(...call);
    }
  }

  async #keysOf(issuer: string, maxAgeMs: number): Promise<CachedKeys> {
    const known = await this.#cached.get(issuer);
    if (known && this.#now() - known.fetchedAt < maxAgeMs) return known;
    const fetchedAt = this.#now();
    const fetching = this.#fetchJwks(issuer).then((set) => ({ fetchedAt, keys: createLocalJWKSet(set) }));
    this.#cached.set(issuer, fetching);
    fetching.catch(() => this.#cached.delete(issuer));
    return fetching;
  }
}

function tokenOf(authorizer: JwtAuthorizer, routed: RoutedRequest): string | undefined {
  for (const source of authorizer.identitySources) {
    const value = httpIdentity(source, routed)?.trim();
    const token = value === undefined ? undefined : /^(?:Bearer +)?(\S+)$/i.exec(value)?.[1];
    if (token !== undefined) return token;
  }
  return undefined;
}

function isForAudience(payload: JWTPayload, audiences: readonly string[]): boolean {
  const claimed: unknown = payload.aud ?? payload['client_id'];
  const list: readonly unknown[] = Array.isArray(claimed) ? claimed : [claimed];
  return list.some((entry) => typeof entry === 'string' && audiences.includes(entry));
}

function scopesOf(payload: JWTPayload): readonly string[] {
  const claimed = payload['scope'] ?? payload['scp'];
  const text = typeof claimed === 'string' ? claimed : '';
  const list: readonly unknown[] = Array.isArray(claimed) ? claimed : text.split(' ');
  return list.filter((scope): scope is string => typeof scope === 'string' && scope !== '');
}

function unauthorized(challenge: string): AuthorizerDecision {
  return { kind: 'refuse', answer: gatewayError(401, 'Unauthorized', [['www-authenticate', challenge]]) };
}

function forbidden(scopes: readonly string[]): AuthorizerDecision {
  const challenge = `Bearer scope="${scopes.join(' ')}" error="insufficient_scope" error_description="a scope is missing"`;
  return { kind: 'refuse', answer: gatewayError(403, 'Forbidden', [['www-authenticate', challenge]]) };
}

function allowed(payload: JWTPayload, scopes: readonly string[] | null): AuthorizerDecision {
  const claims = Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [name, claimText(value)] as const),
  );
  return { kind: 'allow', authorizer: { jwt: { claims, scopes } } };
}

/** Functions see every claim as text: lists as `[a b]`, objects as `map[key:value]`. */
function claimText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(claimText).join(' ')}]`;
  if (!isPlainObject(value)) return String(value);
  return `map[${Object.entries(value)
    .map(([key, item]) => `${key}:${claimText(item)}`)
    .join(' ')}]`;
}

/** OpenID discovery: the issuer's configuration names the address of its keys. */
export const discoverJwks: FetchJwks = async (issuer) => {
  const configuration = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const address = isPlainObject(configuration) ? configuration['jwks_uri'] : undefined;
  const keys = typeof address === 'string' ? await fetchJson(address) : undefined;
  if (!isPlainObject(keys) || !Array.isArray(keys['keys']))
    throw new TypeError(`${issuer} publishes no keys`);
  return { keys: keys['keys'] as JSONWebKeySet['keys'] };
};

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(discoveryTimeoutMs), redirect: 'error' });
  if (!response.ok) throw new TypeError(`${url} answered ${response.status}`);
  return response.json();
}
