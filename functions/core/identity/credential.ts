/** What a caller sends to say who they are: `Authorization: Bearer <JWT | API key>` (RFC 6750, section 2.1). */

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'apiKey'; readonly keyId: string; readonly secret: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'malformed' };

/** An API Gateway accepts 10,240 bytes of headers in all. */
const MAX_HEADER_LENGTH = 8192;
const bearer = /^Bearer +([\w.~+/-]+=*)$/i;
const apiKey = /^cpk_([0-9a-f]{16})_([\w-]{43})$/;

/** Reads the header; the scheme may be written in any case, an API key is told from a token by its beginning. */
export const readCredential = (header: string | undefined): Credential => {
  if (header === undefined || header.trim() === '') return { kind: 'none' };
  if (header.length > MAX_HEADER_LENGTH) return { kind: 'malformed' };
  const [, text] = bearer.exec(header.trim()) ?? [];
  if (text === undefined) return { kind: 'malformed' };
  if (!text.startsWith('cpk_')) return { kind: 'token', token: text };
  const [, keyId, secret] = apiKey.exec(text) ?? [];
  if (keyId === undefined || secret === undefined) return { kind: 'malformed' };
  return { kind: 'apiKey', keyId, secret };
};
