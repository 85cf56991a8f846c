import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Headers } from './body-stream.ts';
import type { Bucket } from './bucket.ts';
import { S3Error, accessDenied } from './s3-error.ts';

const MAX_KEY_BYTES = 1024;
const MAX_EXPIRES_SECONDS = 604_800;

export interface S3Address {
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  /** Lower-case headers; the `x-amz-…` parameters of a presigned URL count as headers. */
  readonly headers: Headers;
}

export interface S3Call extends S3Address {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly store: Bucket;
}

/** Path-style: `/bucket/key`. The key is everything behind the bucket, decoded and never normalised. */
export function readAddress(request: IncomingMessage): S3Address {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const slash = path.indexOf('/', 1);
  const bucket = decode(slash < 0 ? path.slice(1) : path.slice(1, slash));
  const key = slash < 0 ? '' : decode(path.slice(slash + 1));
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new S3Error(400, 'KeyTooLongError', 'Your key is too long');
  return { bucket, key, query, headers: effectiveHeaders(request, query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

function effectiveHeaders(request: IncomingMessage, query: URLSearchParams): Headers {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  for (const [name, value] of query) {
    const lower = name.toLowerCase();
    if (lower.startsWith('x-amz-')) headers[lower] ??= value;
  }
  return headers;
}

/**
 * Unsigned requests are denied and presigned ones only served in their time. The signature itself is not
 * verified: whoever signs locally holds no secret worth checking.
 */
export function authorize({ headers, query }: S3Address, now: number): void {
  if (headers['authorization']?.startsWith('AWS4-') === true) return;
  if (!query.has('X-Amz-Signature') || !query.has('X-Amz-Credential')) throw accessDenied();
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get('X-Amz-Date') ?? '') ?? [];
  const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const expires = Number(query.get('X-Amz-Expires') ?? Number.NaN);
  if (Number.isNaN(signedAt) || !(expires >= 1 && expires <= MAX_EXPIRES_SECONDS)) {
    throw new S3Error(400, 'AuthorizationQueryParametersError', 'X-Amz-Date or X-Amz-Expires is not valid');
  }
  if (now > signedAt + expires * 1000) throw accessDenied('Request has expired');
}
