import type { IncomingMessage } from 'node:http';

/** Signing names by the prefix of `X-Amz-Target`, for requests that say no more. */
const serviceOfTarget: Readonly<Record<string, string>> = {
  AWSEvents: 'events',
  AmazonSQS: 'sqs',
  DynamoDB_20120810: 'dynamodb',
};

/**
 * The signing name of the service that a request is for: from the credential scope of its signature, in the header or
 * in the query, or from `X-Amz-Target`. A request with none of these is taken for an anonymous one to S3.
 */
export function serviceOfRequest(request: Pick<IncomingMessage, 'headers' | 'url'>): string {
  const signed = /Credential=([^,\s]+)/.exec(request.headers.authorization ?? '')?.[1];
  const presigned = new URL(request.url ?? '/', 'http://aws').searchParams.get('X-Amz-Credential');
  const scope = (signed ?? presigned)?.split('/');
  // Key id / date / region / service / aws4_request; SigV4A leaves the region out.
  const service = scope?.at(-2);
  if (service !== undefined && service !== '') return service;
  const target = request.headers['x-amz-target'];
  const prefix = typeof target === 'string' ? target.split('.')[0] : undefined;
  return (prefix === undefined ? undefined : serviceOfTarget[prefix]) ?? 's3';
}

/** What was asked of it: the operation of `X-Amz-Target`, otherwise method and route, names replaced by placeholders. */
export function operationOfRequest(request: IncomingMessage, service: string): string {
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string') return target.split('.').at(-1) ?? target;
  const url = new URL(request.url ?? '/', 'http://aws');
  const method = request.method ?? 'GET';
  if (service === 's3') return `${method} ${bucketRoute(url)}${subResource(url)}`;
  if (service === 'lambda') return `${method} ${url.pathname.replace(/(\/functions\/)[^/]+/, '$1{name}')}`;
  if (service === 'execute-api') return `${method} ${url.pathname.replace(/(\/@connections\/).+/, '$1{id}')}`;
  return `${method} ${url.pathname}`;
}

function bucketRoute({ pathname }: URL): string {
  const [, bucket, ...key] = pathname.split('/');
  if (!bucket) return '/';
  return key.join('') === '' ? '/{bucket}' : '/{bucket}/{key}';
}

/** Queries that choose the S3 operation, as opposed to those that only shape it. */
const subResources = new Set([
  'acl',
  'cors',
  'delete',
  'lifecycle',
  'list-type',
  'location',
  'partNumber',
  'policy',
  'tagging',
  'uploadId',
  'uploads',
  'versioning',
]);

function subResource(url: URL): string {
  const names = [...url.searchParams.keys()].filter((name) => subResources.has(name)).sort();
  return names.length === 0 ? '' : `?${names.join('&')}`;
}
