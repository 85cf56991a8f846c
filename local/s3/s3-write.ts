import { randomUUID } from 'node:crypto';
import { verifiedBody } from './body-stream.ts';
import type { Headers } from './body-stream.ts';
import type { Bucket } from './bucket.ts';
import { openObject } from './open-object.ts';
import type { StoredObject } from './object-store.ts';
import { writeCheck } from './preconditions.ts';
import {
  S3Error,
  accessDenied,
  invalidArgument,
  noSuchKey,
  unescapeXml,
  xml,
  xmlDocument,
  xmlTexts,
} from './s3-error.ts';
import type { S3Call } from './s3-request.ts';

const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'content-type', 'expires'];
const MAX_XML_BYTES = 2 * 1024 * 1024;
const MAX_METADATA_BYTES = 2048;

export async function putObject(call: S3Call): Promise<void> {
  const { store, key, headers, request, response } = call;
  const check = writeCheck(headers);
  const kept = keptHeaders(headers);
  const body = verifiedBody(request, headers);
  const written = await store.objects.write(key, body);
  for (const [name, value] of body.checksums) kept[`x-amz-checksum-${name}`] = value;
  const stored = await store.objects.commit(key, written, { etag: written.md5, headers: kept }, check);
  for (const [name, value] of body.checksums) response.setHeader(`x-amz-checksum-${name}`, value);
  response.writeHead(200, { etag: `"${stored.etag}"` }).end();
}

export async function copyObject(call: S3Call, bucketOf: (name: string) => Bucket): Promise<void> {
  const { store, key, headers } = call;
  const [sourceBucket, sourceKey] = copySource(headers['x-amz-copy-source'] ?? '');
  const from = bucketOf(sourceBucket);
  const source = from.objects.get(sourceKey);
  if (!source) throw noSuchKey();
  const replaces = headers['x-amz-metadata-directive'] === 'REPLACE';
  if (from === store && sourceKey === key && !replaces) {
    throw new S3Error(
      400,
      'InvalidRequest',
      'This copy request is illegal: it copies an object to itself unchanged.',
    );
  }
  const written = await store.objects.write(key, await openObject(from.objects, source));
  const object = { etag: written.md5, headers: replaces ? keptHeaders(headers) : { ...source.headers } };
  const stored = await store.objects.commit(key, written, object, writeCheck(headers));
  replyXml(
    call,
    'CopyObjectResult',
    xml('LastModified', stored.lastModified) + xml('ETag', `"${stored.etag}"`),
  );
}

export async function deleteObject({ store, key, response }: S3Call): Promise<void> {
  await store.objects.delete(key);
  response.writeHead(204).end();
}

export async function deleteObjects(call: S3Call): Promise<void> {
  const document = await readText(call);
  const keys = xmlTexts(document, 'Object').map((object) => unescapeXml(xmlTexts(object, 'Key')[0] ?? ''));
  if (keys.length === 0 || keys.length > 1000 || keys.includes('')) {
    throw new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed');
  }
  for (const key of keys) await call.store.objects.delete(key);
  const quiet = xmlTexts(document, 'Quiet')[0] === 'true';
  replyXml(
    call,
    'DeleteResult',
    quiet ? '' : keys.map((key) => `<Deleted>${xml('Key', key)}</Deleted>`).join(''),
  );
}

export function createUpload(call: S3Call): void {
  const id = call.store.uploads.start(call.key, keptHeaders(call.headers));
  const inner = xml('Bucket', call.store.name) + xml('Key', call.key) + xml('UploadId', id);
  replyXml(call, 'InitiateMultipartUploadResult', inner);
}

export async function uploadPart(call: S3Call): Promise<void> {
  const { store, key, query, headers, request, response } = call;
  if (headers['x-amz-copy-source'] !== undefined)
    throw new S3Error(501, 'NotImplemented', 'UploadPartCopy is not supported');
  const body = verifiedBody(request, headers);
  const number = Number(query.get('partNumber') ?? Number.NaN);
  const written = await store.uploads.addPart(query.get('uploadId') ?? '', key, number, body);
  for (const [name, value] of body.checksums) response.setHeader(`x-amz-checksum-${name}`, value);
  response.writeHead(200, { etag: `"${written.md5}"` }).end();
}

export async function completeUpload(call: S3Call): Promise<void> {
  const { store, key, query, headers } = call;
  const choices = xmlTexts(await readText(call), 'Part').map((part) => ({
    number: Number(xmlTexts(part, 'PartNumber')[0]),
    etag: unescapeXml(xmlTexts(part, 'ETag')[0] ?? '').replaceAll('"', ''),
  }));
  const stored = await store.uploads.complete(query.get('uploadId') ?? '', key, choices, writeCheck(headers));
  replyXml(call, 'CompleteMultipartUploadResult', location(call, stored));
}

function location({ store, key }: S3Call, stored: StoredObject): string {
  const at = `/${store.name}/${encodeURIComponent(key)}`;
  return xml('Location', at) + xml('Bucket', store.name) + xml('Key', key) + xml('ETag', `"${stored.etag}"`);
}

export async function abortUpload({ store, key, query, response }: S3Call): Promise<void> {
  await store.uploads.abort(query.get('uploadId') ?? '', key);
  response.writeHead(204).end();
}

export function listParts(call: S3Call): void {
  const id = call.query.get('uploadId') ?? '';
  const parts = call.store.uploads.parts(id, call.key).map(([number, part]) => {
    return `<Part>${xml('PartNumber', number)}${xml('ETag', `"${part.md5}"`)}${xml('Size', part.size)}</Part>`;
  });
  const head =
    xml('Bucket', call.store.name) + xml('Key', call.key) + xml('UploadId', id) + xml('IsTruncated', false);
  replyXml(call, 'ListPartsResult', head + parts.join(''));
}

export function replyXml({ response }: Pick<S3Call, 'response'>, name: string, inner: string): void {
  response.writeHead(200, { 'content-type': 'application/xml', 'x-amz-request-id': randomUUID() });
  response.end(xmlDocument(name, inner));
}

function keptHeaders(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const name of KEPT_HEADERS) if (headers[name] !== undefined) kept[name] = headers[name];
  const encoding = (headers['content-encoding'] ?? '').split(',').map((one) => one.trim());
  const kind = encoding.filter((one) => one !== '' && one !== 'aws-chunked').join(',');
  if (kind !== '') kept['content-encoding'] = kind;
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  if (metadata.join('').length > MAX_METADATA_BYTES) {
    throw new S3Error(
      400,
      'MetadataTooLarge',
      'Your metadata headers exceed the maximum allowed metadata size',
    );
  }
  return { ...kept, ...Object.fromEntries(metadata) };
}

function copySource(header: string): [string, string] {
  const path = header.replace(/^\//, '').replace(/\?versionId=.*$/, '');
  const slash = path.indexOf('/');
  if (slash < 1)
    throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  try {
    return [path.slice(0, slash), decodeURIComponent(path.slice(slash + 1))];
  } catch {
    throw accessDenied('The copy source is not a URL-encoded key');
  }
}

async function readText({ request, headers }: S3Call): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const bytes of verifiedBody(request, headers)) {
    size += bytes.length;
    if (size > MAX_XML_BYTES) throw new S3Error(400, 'MaxMessageLengthExceeded', 'Your request was too big.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
