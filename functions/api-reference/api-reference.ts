import { errorReply, httpHandler, type HttpHandler, type HttpReply } from '../adapters/http/http-handler.ts';
import { openApiDocument } from '../core/openapi/openapi.ts';
import { REFERENCE_POLICY, referencePage } from '../core/openapi/reference-page.ts';
import type { Logger } from '../core/ports.ts';

/** The document changes with a deployment; five minutes spare a function most of the calls. */
const CACHING = 'public, max-age=300';

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

const documentText = once(() => JSON.stringify(openApiDocument()));
const pageText = once(() => referencePage(openApiDocument()));

const reply = (contentType: string, body: string): HttpReply => ({
  status: 200,
  body,
  headers: {
    'content-type': contentType,
    'cache-control': CACHING,
    'content-security-policy': REFERENCE_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  },
});

/** GET /api/v1/openapi.json and GET /api/v1/docs: the same for everybody; and what no other route takes. */
export const createApiReferenceHandler = ({ logger }: { readonly logger: Logger }): HttpHandler =>
  httpHandler(logger, async ({ operation }) => {
    if (operation === 'getOpenApi') return reply('application/json; charset=utf-8', documentText());
    if (operation === 'getReference') return reply('text/html; charset=utf-8', pageText());
    return errorReply(404, 'there is no such route');
  });
