/** Credentials that callers make for themselves: API keys, and tickets for the socket. */
import type { ApiKey, ApiKeyStore, ApiScope, Clock, TicketStore } from '../ports.ts';
import { apiKeyText, hashOfSecret, newKeyId, newSecret, type SecretSource } from './secret.ts';

/** Long enough for a handshake on a slow line, too short to be of use in a log. */
export const TICKET_LIFETIME_MS = 30_000;
const DAY_MS = 86_400_000;

export interface IssueDependencies {
  readonly keys: ApiKeyStore;
  readonly tickets: TicketStore;
  readonly clock: Clock;
  readonly secrets: SecretSource;
}

/** Who asks. */
export interface Issuer {
  readonly userId: string;
  readonly scopes: readonly ApiScope[];
}

export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  /** Whole days, 1–3650; undefined: it does not expire. */
  readonly expiresInDays: number | undefined;
  /** Undefined: the issuer's own. */
  readonly userId: string | undefined;
}

export type IssuedKey =
  | { readonly kind: 'issued'; readonly key: ApiKey; readonly text: string }
  | { readonly kind: 'refused'; readonly message: string };

const isoOf = (ms: number): string => new Date(ms).toISOString();

/** Whose keys are meant: another user's are for admins alone; undefined when the issuer may not ask. */
export const ownerFor = (issuer: Issuer, userId: string | undefined): string | undefined =>
  userId === undefined || userId === issuer.userId || issuer.scopes.includes('admin')
    ? (userId ?? issuer.userId)
    : undefined;

/** Nobody gives away what they may not do themselves. */
export const issueKey = async (
  request: KeyRequest,
  issuer: Issuer,
  { keys, clock, secrets }: IssueDependencies,
): Promise<IssuedKey> => {
  const userId = ownerFor(issuer, request.userId);
  if (userId === undefined) {
    return { kind: 'refused', message: 'a key for another user_id needs the scope admin' };
  }
  const beyond = request.scopes.filter((scope) => !issuer.scopes.includes(scope));
  if (beyond.length > 0) {
    return { kind: 'refused', message: `you cannot give away scopes that you lack: ${beyond.join(', ')}` };
  }
  const now = clock.now();
  const secret = newSecret(secrets);
  const { expiresInDays } = request;
  const key: ApiKey = {
    keyId: newKeyId(secrets),
    userId,
    name: request.name,
    scopes: [...new Set(request.scopes)],
    createdAt: isoOf(now),
    expiresAt: expiresInDays === undefined ? null : isoOf(now + expiresInDays * DAY_MS),
    revokedAt: null,
  };
  await keys.create(key, hashOfSecret(secret));
  return { kind: 'issued', key, text: apiKeyText(key.keyId, secret) };
};

/** A ticket opens one connection of that user within `TICKET_LIFETIME_MS`. */
export const issueTicket = async (
  userId: string,
  { tickets, clock, secrets }: Pick<IssueDependencies, 'tickets' | 'clock' | 'secrets'>,
): Promise<{ readonly ticket: string; readonly expiresAt: string }> => {
  const ticket = newSecret(secrets);
  const expiresAt = isoOf(clock.now() + TICKET_LIFETIME_MS);
  await tickets.create(hashOfSecret(ticket), userId, expiresAt);
  return { ticket, expiresAt };
};

/** The user of a ticket, which is used up by this; undefined for one that is used, expired, or none of ours. */
export const redeemTicket = async (
  ticket: string,
  { tickets, clock }: Pick<IssueDependencies, 'tickets' | 'clock'>,
): Promise<string | undefined> =>
  /^[\w-]{43}$/.test(ticket) ? tickets.redeem(hashOfSecret(ticket), isoOf(clock.now())) : undefined;
