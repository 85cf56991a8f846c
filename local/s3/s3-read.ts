import { pipeline } from 'node:stream/promises';
import { noSuchKey, xml, xmlDocument } from './s3-error.ts';
import { isUnchanged, readRange } from './preconditions.ts';
import type { S3Call } from './s3-request.ts';
import type { StoredObject } from './object-store.ts';
import { openObject } from './open-object.ts';

const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
];

export async function getObject(call: S3Call): Promise<void> {
  const { store, key, headers, response, request } = call;
  const object = store.objects.get(key);
  if (!object) throw noSuchKey();
  setObjectHeaders(call, object);
  if (isUnchanged(headers, object)) {
    response.removeHeader('content-type');
    response.writeHead(304).end();
    return;
  }
  const range = readRange(headers['range'], object.size);
  if (range) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${range.start}-${range.end}/${object.size}`);
    for (const name of Object.keys(object.headers))
      if (name.startsWith('x-amz-checksum')) response.removeHeader(name);
  }
  response.setHeader('content-length', range ? range.end - range.start + 1 : object.size);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(await openObject(store.objects, object, range), response);
}

function setObjectHeaders({ headers, query, response }: S3Call, object: StoredObject): void {
  const wantsChecksum = headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED';
  for (const [name, value] of Object.entries(object.headers)) {
    if (wantsChecksum || !name.startsWith('x-amz-checksum')) response.setHeader(name, value);
  }
  for (const name of OVERRIDES) {
    const value = query.get(`response-${name}`);
    if (value !== null) response.setHeader(name, value);
  }
  response.setHeader('etag', `"${object.etag}"`);
  response.setHeader('last-modified', new Date(object.lastModified).toUTCString());
  response.setHeader('accept-ranges', 'bytes');
}

interface Listing {
  readonly objects: StoredObject[];
  readonly prefixes: string[];
  readonly next: string | undefined;
}

export function listObjects({ store, query, response }: S3Call): void {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxKeys = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
  const token = query.get('continuation-token');
  const after =
    token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString();
  const listing = list(store.objects, prefix, delimiter, maxKeys, after);
  const text = query.get('encoding-type') === 'url' ? encodeKey : (value: string) => value;
  const contents = listing.objects.map((object) =>
    element('Contents', [
      xml('Key', text(object.key)),
      xml('LastModified', object.lastModified),
      xml('ETag', `"${object.etag}"`),
      xml('Size', object.size),
      xml('StorageClass', 'STANDARD'),
    ]),
  );
  const body = [
    xml('Name', store.name),
    xml('Prefix', text(prefix)),
    delimiter === '' ? '' : xml('Delimiter', text(delimiter)),
    xml('KeyCount', listing.objects.length + listing.prefixes.length),
    xml('MaxKeys', maxKeys),
    xml('EncodingType', query.get('encoding-type') ?? undefined),
    xml('StartAfter', query.get('start-after') ?? undefined),
    xml('IsTruncated', listing.next !== undefined),
    xml('ContinuationToken', token ?? undefined),
    xml(
      'NextContinuationToken',
      listing.next === undefined ? undefined : Buffer.from(listing.next).toString('base64url'),
    ),
    ...contents,
    ...listing.prefixes.map((one) => element('CommonPrefixes', [xml('Prefix', text(one))])),
  ];
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(xmlDocument('ListBucketResult', body.join('')));
}

const element = (name: string, inner: readonly string[]): string => `<${name}>${inner.join('')}</${name}>`;
const encodeKey = (key: string): string => encodeURIComponent(key).replaceAll('%2F', '/');

/** `after` is the last key or common prefix of the page before; a prefix hides all keys below it. */
function list(
  objects: S3Call['store']['objects'],
  prefix: string,
  delimiter: string,
  maxKeys: number,
  after: string,
): Listing {
  const page: Listing = { objects: [], prefixes: [], next: undefined };
  const start = Buffer.from(after);
  let last = '';
  for (const key of objects.sortedKeys()) {
    if (!key.startsWith(prefix) || Buffer.compare(Buffer.from(key), start) <= 0) continue;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const shown = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    if (cut >= 0 && (shown === last || shown === after)) continue;
    if (page.objects.length + page.prefixes.length >= maxKeys)
      return maxKeys === 0 ? page : { ...page, next: last };
    last = shown;
    const object = objects.get(key);
    if (cut >= 0) page.prefixes.push(shown);
    else if (object) page.objects.push(object);
  }
  return page;
}
