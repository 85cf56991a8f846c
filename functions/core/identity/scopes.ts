/** What a caller may do, as it travels: names with spaces between them, as OAuth 2.0 writes a scope (RFC 6749, 3.3). */
import type { ApiScope } from '../ports.ts';

export const ALL_SCOPES = [
  'tasks:read',
  'tasks:write',
  'workers:read',
  'keys:write',
  'admin',
] as const satisfies readonly ApiScope[];

/** What every user of the issuer may do. */
export const USER_SCOPES = ALL_SCOPES.filter((scope) => scope !== 'admin');

/** The scopes named in a text, each once; names that are none of ours are left out, and so is what is no text. */
export const readScopes = (value: unknown): readonly ApiScope[] => {
  const names = new Set(typeof value === 'string' ? value.split(' ') : []);
  return ALL_SCOPES.filter((scope) => names.has(scope));
};

export const writeScopes = (scopes: readonly ApiScope[]): string => scopes.join(' ');
