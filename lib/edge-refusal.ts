/** What the edge says to a body that is too large for the function behind it. */

export interface EdgeRefusal {
  /** Bytes; larger ones are refused. */
  readonly maxBytes: number;
  /** One line that says what to do, for a body as it is and for a compressed one. */
  readonly tooLarge: { readonly plain: string; readonly gzip: string };
  /** Origins of pages that may read the answer; `*`: all. */
  readonly corsOrigins: readonly string[];
}

/**
 * Code of a CloudFront function (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html)
 * that goes by the Content-Length header. A body that is sent in chunks says no length and goes on.
 */
export const edgeRefusalCode = (refusal: EdgeRefusal): string => `\
var refusal = ${JSON.stringify(refusal)};
function valueOf(headers, name) {
  return headers[name] ? headers[name].value : '';
}
function handler(event) {
  var headers = event.request.headers;
  if (!(Number(valueOf(headers, 'content-length')) > refusal.maxBytes)) return event.request;
  var isGzip = /^(x-)?gzip$/i.test(valueOf(headers, 'content-encoding').trim());
  var answer = {
    statusCode: 413,
    statusDescription: 'Content Too Large',
    headers: { 'content-type': { value: 'application/json' }, 'cache-control': { value: 'no-store' } },
    body: JSON.stringify({ error: isGzip ? refusal.tooLarge.gzip : refusal.tooLarge.plain }),
  };
  var origin = valueOf(headers, 'origin');
  var mayRead = refusal.corsOrigins.indexOf('*') >= 0 || refusal.corsOrigins.indexOf(origin) >= 0;
  if (origin !== '' && mayRead) answer.headers['access-control-allow-origin'] = { value: origin };
  return answer;
}
`;
