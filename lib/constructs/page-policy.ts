/**
 * The page's Content-Security-Policy, in two parts: a browser that is given two does only what both allow. The header
 * can't name this very API, whose own CORS names the distribution that carries the header, and neither can come after
 * the other; so it bounds, and `index.html`, which is written last, narrows.
 */

/** What the page talks to; all without a path. */
export interface PageHosts {
  readonly api: string;
  readonly webSocket: string;
  readonly media: string;
  readonly uploads: string;
}

/** Pictures while sampling are `data:`, files that were chosen `blob:`. React sets styles by script, which is no inline style. */
const directives = ({ api, webSocket, media, uploads }: PageHosts): readonly string[] => [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  `img-src 'self' data: blob: ${media}`,
  `media-src blob: ${media}`,
  `connect-src 'self' ${[...new Set([api, webSocket, uploads, media])].join(' ')}`,
  "base-uri 'none'",
  "form-action 'none'",
];

/** For the header: every distribution, and every WebSocket API and bucket of the region, and no frame around the page. */
export const headerPolicy = (region: string, urlSuffix: string): string => {
  const hosts: PageHosts = {
    api: 'https://*.cloudfront.net',
    webSocket: `wss://*.execute-api.${region}.${urlSuffix}`,
    media: 'https://*.cloudfront.net',
    uploads: `https://*.s3.${region}.${urlSuffix}`,
  };
  return [...directives(hosts), "frame-ancestors 'none'"].join('; ');
};

/** For `index.html`: just these hosts. Of frames a `<meta>` may not speak. */
export const documentPolicy = (hosts: PageHosts): string => directives(hosts).join('; ');

/**
 * Puts a policy into a document, before all that it binds; after the charset, which has to be among the first bytes.
 * Undefined for a document without a head.
 */
export const withPolicy = (html: string, policy: string): string | undefined => {
  const head = /<head>(?:\s*<meta charset[^>]*>)?/i.exec(html);
  if (head === null) return undefined;
  const after = head.index + head[0].length;
  const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}" />`;
  return `${html.slice(0, after)}\n    ${meta}${html.slice(after)}`;
};
