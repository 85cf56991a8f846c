/** Serves one distribution: finds the behaviour, asks what is behind its origin, answers as CloudFront does. */
import type { Agent, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { discardRest } from '../api-gateway/request-body.ts';
import { isUnchanged, readRange } from '../s3/preconditions.ts';
import { S3Error, accessDenied, replyS3Error } from '../s3/s3-error.ts';
import type { ReadableObject, S3Service } from '../s3/s3-service.ts';
import { serveFromApi } from './api-origin.ts';
import { behaviorFor } from './distribution-config.ts';
import type { Behavior, DistributionConfig } from './distribution-config.ts';
import type { EdgeFunction, EdgeResponse } from './edge-function.ts';
import { applyPolicy } from './response-headers-policy.ts';
import type { HeadersPolicy } from './response-headers-policy.ts';

/** What a behaviour leads to. */
export type Origin =
  | { readonly kind: 'bucket'; readonly bucket: string }
  | {
      readonly kind: 'api';
      /** `http://host:port`, and a path that each request gets in front. */
      readonly url: string;
    };

export interface DistributionOptions {
  readonly config: DistributionConfig;
  readonly s3: S3Service;
  /** By origin id. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly edge: (arn: string) => EdgeFunction | undefined;
  readonly agent: Agent;
  readonly policy: (id: string) => HeadersPolicy | undefined;
}

const HIDDEN = /^x-amz-checksum/;
/** A client that still sends may read its answer for so long. */
const GRACE_MS = 5000;

/** Must not reject. */
export async function serveDistribution(
  options: DistributionOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method ?? 'GET';
  const [rawPath = '/'] = (request.url ?? '/').split('?');
  const behavior = behaviorFor(options.config, rawPath);
  try {
    const policy = options.policy(behavior.ResponseHeadersPolicyId ?? '');
    if (policy) applyPolicy(policy, request, response);
    const answered = edgeAnswer(options, behavior, request);
    if (answered !== undefined) return serveEdgeAnswer(answered, request, response);
    const origin = options.origins.get(behavior.TargetOriginId);
    const isAllowed = behavior.AllowedMethods.includes(method);
    if (isAllowed && origin?.kind === 'api')
      return await serveFromApi(origin.url, request, response, options.agent);
    if (!isAllowed || !['GET', 'HEAD', 'OPTIONS'].includes(method)) {
      throw new S3Error(403, 'AccessDenied', `This distribution does not allow ${method}`);
    }
    if (method === 'OPTIONS') {
      response.writeHead(200, { 'content-length': '0' }).end();
      return;
    }
    await serveObject(options, behavior, rawPath, request, response);
  } catch (error) {
    await serveError(options, error, request, response);
  }
}

function edgeAnswer(
  { edge }: DistributionOptions,
  { FunctionAssociations: [association] }: Behavior,
  request: IncomingMessage,
): EdgeResponse | undefined {
  return association === undefined ? undefined : edge(association.FunctionARN)?.(request);
}

function serveEdgeAnswer(answer: EdgeResponse, request: IncomingMessage, response: ServerResponse): void {
  const { status, statusText, headers, body } = answer;
  const length = { 'content-length': body.length, ...(request.complete ? {} : { connection: 'close' }) };
  if (statusText !== undefined) response.statusMessage = statusText;
  response.writeHead(status, { ...headers, ...length }).end(request.method === 'HEAD' ? undefined : body);
  discardRest(request, GRACE_MS);
}

async function serveObject(
  options: DistributionOptions,
  behavior: Behavior,
  rawPath: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const found = findObject(options, behavior, rawPath);
  // Without the right to list, S3 says 403 for a key that is not there.
  if (!found) throw accessDenied();
  const { object } = found;
  const { headers } = request;
  const conditions = {
    'if-none-match': headers['if-none-match'],
    'if-modified-since': headers['if-modified-since'],
  };
  const given = Object.entries(conditions).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  setHeaders(response, found);
  if (isUnchanged(Object.fromEntries(given), object)) {
    response.writeHead(304).end();
    return;
  }
  const range = readRange(headers.range, object.size);
  if (range) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${range.start}-${range.end}/${object.size}`);
  }
  response.setHeader('content-length', range ? range.end - range.start + 1 : object.size);
  if (request.method === 'HEAD') response.end();
  else await pipeline(await found.open(range), response);
}

function findObject(
  { config, s3, origins }: DistributionOptions,
  behavior: Behavior,
  rawPath: string,
): ReadableObject | undefined {
  const origin = config.Origins.find(({ Id }) => Id === behavior.TargetOriginId);
  const path = rawPath === '/' ? `/${config.DefaultRootObject}` : rawPath;
  const source = origins.get(behavior.TargetOriginId);
  return s3.readObject(
    source?.kind === 'bucket' ? source.bucket : '',
    decode(`${origin?.OriginPath ?? ''}${path}`).replace(/^\//, ''),
  );
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

function setHeaders(response: ServerResponse, { object }: ReadableObject): void {
  for (const [name, value] of Object.entries(object.headers))
    if (!HIDDEN.test(name)) response.setHeader(name, value);
  response.setHeader('etag', `"${object.etag}"`);
  response.setHeader('last-modified', new Date(object.lastModified).toUTCString());
  response.setHeader('accept-ranges', 'bytes');
}

/** The page that the distribution has for this status, with the status it wants to show; else the error itself. */
async function serveError(
  options: DistributionOptions,
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const status = error instanceof S3Error ? error.status : 500;
  const custom = options.config.CustomErrorResponses.find(({ ErrorCode }) => ErrorCode === status);
  const path = custom?.ResponsePagePath;
  const page = path === undefined ? undefined : findObject(options, behaviorFor(options.config, path), path);
  if (!page || response.headersSent) return replyS3Error(response, error, request.method === 'HEAD');
  setHeaders(response, page);
  response.writeHead(custom?.ResponseCode ?? status, { 'content-length': page.object.size });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  try {
    await pipeline(await page.open(), response);
  } catch {
    response.destroy();
  }
}
