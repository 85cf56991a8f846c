import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  AbortMultipartUploadCommand,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, PutObjectCommandInput } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { S3Service } from './s3-service.ts';

const place = { region: 'eu-central-1', accountId: '123456789012' };
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const Bucket = 'pictures';
let dataDir: string;
let service: S3Service;
let server: Server;
let port: number;
let client: S3Client;

const create = (properties: Record<string, unknown>, logicalId = 'Bucket') =>
  service.providers['AWS::S3::Bucket']!({
    stackName: 'Stack',
    logicalId,
    type: 'AWS::S3::Bucket',
    properties,
  });

async function start(): Promise<void> {
  service = new S3Service({ place, dataDir, log: () => {} });
  server = createServer((request, response) => void service.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  client = new S3Client({
    region: place.region,
    endpoint: `http://127.0.0.1:${port}`,
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_SUPPORTED',
  });
  const CorsConfiguration = {
    CorsRules: [
      {
        AllowedMethods: ['GET', 'PUT'],
        AllowedOrigins: ['https://*.example.com'],
        AllowedHeaders: ['content-*'],
        ExposedHeaders: ['ETag'],
        MaxAge: 60,
      },
    ],
  };
  await create({
    BucketName: Bucket,
    CorsConfiguration,
    Tags: [],
    VersioningConfiguration: { Status: 'Suspended' },
  });
}

async function stop(): Promise<void> {
  client.destroy();
  await service.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 's3-'));
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(dataDir, { recursive: true });
});

const put = (
  Key: string,
  Body: PutObjectCommandInput['Body'] = 'x',
  more: Partial<PutObjectCommandInput> = {},
) => client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string) => client.send(new GetObjectCommand({ Bucket, Key }));
const bytes = async (Key: string) => Buffer.from(await (await get(Key)).Body!.transformToByteArray());
/** Contents are compared by it: `toEqual` takes a second for what a hash takes a millisecond. */
const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex');
const keys = async () =>
  (await client.send(new ListObjectsV2Command({ Bucket }))).Contents?.map((one) => one.Key) ?? [];
const url = (path: string) => `http://127.0.0.1:${port}${path}`;

test('an object comes back byte for byte with its metadata, also after a restart', async () => {
  const data = randomBytes(300_000);
  const answer = await put('a/b.png', data, {
    ContentType: 'image/png',
    CacheControl: 'max-age=60',
    ContentDisposition: 'inline',
    Metadata: { job: 'j-1' },
  });
  expect(answer.ETag).toBe(`"${md5(data)}"`);
  await stop();
  await start();
  expect(md5(await bytes('a/b.png'))).toBe(md5(data));
  expect(await client.send(new HeadObjectCommand({ Bucket, Key: 'a/b.png' }))).toMatchObject({
    ContentLength: data.length,
    ContentType: 'image/png',
    CacheControl: 'max-age=60',
    ContentDisposition: 'inline',
    Metadata: { job: 'j-1' },
    ETag: `"${md5(data)}"`,
  });
});

test('a stream of unknown hash is stored without its framing', async () => {
  const data = randomBytes(200_000);
  const Body = Readable.from([data.subarray(0, 70_001), data.subarray(70_001)]);
  await put('stream', Body, { ContentLength: data.length });
  expect(md5(await bytes('stream'))).toBe(md5(data));
  await put('empty', Readable.from([]), { ContentLength: 0 });
  expect((await bytes('empty')).length).toBe(0);
});

test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256', 'CRC64NVME'] as ChecksumAlgorithm[])(
  'the %s of the SDK is verified and kept',
  async (ChecksumAlgorithm) => {
    const data = randomBytes(100_000);
    let computed = true;
    try {
      await put('sum', Readable.from([data]), { ContentLength: data.length, ChecksumAlgorithm });
    } catch (error) {
      // The SDK computes CRC64NVME only with a native package.
      computed = false;
      expect(ChecksumAlgorithm).toBe('CRC64NVME');
      expect(String(error)).toMatch(/crc64|CRT/i);
    }
    if (computed) expect(md5(await bytes('sum'))).toBe(md5(data));
  },
);

test.each([
  ['x-amz-checksum-crc32', 'y/Q5Jg=='],
  ['x-amz-checksum-crc32c', '4waSgw=='],
  ['x-amz-checksum-sha1', createHash('sha1').update('123456789').digest('base64')],
  ['x-amz-checksum-crc64nvme', 'rosUhgp5mIg='],
  ['content-md5', createHash('md5').update('123456789').digest('base64')],
])('%s of the check text is right, and another one is refused', async (header, value) => {
  const send = (sum: string) =>
    fetch(url(`/${Bucket}/check`), {
      method: 'PUT',
      body: '123456789',
      headers: { authorization: 'AWS4-HMAC-SHA256 x', [header]: sum },
    });
  const refused = await send(Buffer.alloc(Buffer.from(value, 'base64').length).toString('base64'));
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('<Code>BadDigest</Code>');
  expect(await keys()).toEqual([]);
  expect((await send(value)).status).toBe(200);
});

test('eleven megabytes go up in parts', async () => {
  const data = randomBytes(11 * 1024 * 1024);
  const upload = new Upload({
    client,
    params: { Bucket, Key: 'big', Body: Readable.from(data), ContentType: 'video/mp4' },
    partSize: 5 * 1024 * 1024,
  });
  const done = await upload.done();
  expect(done.ETag).toMatch(/^"[0-9a-f]{32}-3"$/);
  expect(md5(await bytes('big'))).toBe(md5(data));
  expect((await get('big')).ContentType).toBe('video/mp4');
  expect(readdirSync(join(dataDir, Bucket))).toHaveLength(2);
});

describe('hostile keys are names, not paths', () => {
  const hostile = [
    '../x',
    '../../etc/passwd',
    'a//b',
    '/lead',
    'trail/',
    'ü/日本/😀',
    'k'.repeat(1024),
    '%00',
    'a%2Fb',
    '__proto__',
    'constructor',
    'a b+c&d=e?f#g',
    '..',
    './.',
    'quote"<>&\'',
    'back\\slash',
  ];
  test.each(hostile)('%s', async (Key) => {
    await put(Key, `of ${Key}`);
    expect((await bytes(Key)).toString()).toBe(`of ${Key}`);
    expect(await keys()).toEqual([Key]);
    const copied = await client.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'copy',
        CopySource: encodeURIComponent(`${Bucket}/${Key}`).replaceAll('%2F', '/'),
      }),
    );
    expect(copied.CopyObjectResult!.ETag).toBe(`"${md5(Buffer.from(`of ${Key}`))}"`);
    const gone = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }, { Key: 'copy' }] } }),
    );
    expect(gone.Deleted!.map((one) => one.Key)).toEqual([Key, 'copy']);
    expect(await keys()).toEqual([]);
    expect(readdirSync(dataDir)).toEqual([Bucket]);
  });

  test('a key that is too long, and a path that is no URI', async () => {
    await expect(put('k'.repeat(1025))).rejects.toMatchObject({ name: 'KeyTooLongError' });
    expect((await fetch(url(`/${Bucket}/%ff`))).status).toBe(400);
  });
});

describe('a truncated upload stores nothing', () => {
  const raw = async (text: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.end(text);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    while (readdirSync(join(dataDir, Bucket)).length > 0)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await keys()).toEqual([]);
  };
  const head = `PUT /${Bucket}/cut HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 x\r\n`;

  test('when the connection ends early', async () => {
    await raw(`${head}content-length: 100\r\n\r\nonly this`);
  });

  test('when a chunk is shorter than it says', async () => {
    await raw(
      `${head}x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\ncontent-length: 9\r\n\r\nff\r\nshort`,
    );
  });

  test('when the decoded length is another', async () => {
    const framed = '3\r\nabc\r\n0\r\n\r\n';
    await raw(
      `${head}x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 5\r\ncontent-length: ${framed.length}\r\n\r\n${framed}`,
    );
  });

  test('when the announced trailer is missing', async () => {
    const framed = '3\r\nabc\r\n0\r\n\r\n';
    await raw(
      `${head}x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-trailer: x-amz-checksum-crc32\r\ncontent-length: ${framed.length}\r\n\r\n${framed}`,
    );
  });
});

describe('conditions', () => {
  test('of twenty writers that want to create, exactly one wins', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => put('once', `writer ${n}`, { IfNoneMatch: '*' })),
    );
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost).toHaveLength(19);
    for (const result of lost) expect(result.reason).toMatchObject({ name: 'PreconditionFailed' });
    const winner = results.findIndex((result) => result.status === 'fulfilled');
    expect((await bytes('once')).toString()).toBe(`writer ${winner}`);
    expect(readdirSync(join(dataDir, Bucket))).toHaveLength(2);
  });

  test('a write only over the version that is known', async () => {
    const { ETag } = await put('v', 'one');
    await put('v', 'two', { IfMatch: ETag });
    await expect(put('v', 'three', { IfMatch: ETag })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(put('none', 'x', { IfMatch: ETag })).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('a reader that has it gets 304', async () => {
    const { ETag } = await put('r', 'text');
    const unchanged = client.send(new GetObjectCommand({ Bucket, Key: 'r', IfNoneMatch: ETag }));
    await expect(unchanged).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    const other = client.send(new GetObjectCommand({ Bucket, Key: 'r', IfMatch: '"other"' }));
    await expect(other).rejects.toMatchObject({ name: 'PreconditionFailed' });
  });
});

test('ranges and response overrides', async () => {
  await put('range', '0123456789');
  const part = async (Range: string) => {
    const answer = await client.send(
      new GetObjectCommand({ Bucket, Key: 'range', Range, ResponseContentType: 'text/x' }),
    );
    return [
      await answer.Body!.transformToString(),
      answer.ContentRange,
      answer.ContentType,
      answer.$metadata.httpStatusCode,
    ];
  };
  expect(await part('bytes=2-4')).toEqual(['234', 'bytes 2-4/10', 'text/x', 206]);
  expect(await part('bytes=7-')).toEqual(['789', 'bytes 7-9/10', 'text/x', 206]);
  expect(await part('bytes=-2')).toEqual(['89', 'bytes 8-9/10', 'text/x', 206]);
  expect(await part('bytes=5-999')).toEqual(['56789', 'bytes 5-9/10', 'text/x', 206]);
  expect(await part('pages=1-2')).toEqual(['0123456789', undefined, 'text/x', 200]);
  await expect(part('bytes=10-')).rejects.toMatchObject({ name: 'InvalidRange' });
});

test('listing by prefix and delimiter, page by page', async () => {
  for (const key of ['a/1', 'a/2', 'b', 'c/d/1', 'c/d/2', 'c/e', 'd']) await put(key);
  const found: (string | undefined)[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket,
        Delimiter: '/',
        MaxKeys: 1,
        ContinuationToken,
        EncodingType: 'url',
      }),
    );
    expect(page.KeyCount).toBe(1);
    found.push(
      ...(page.CommonPrefixes ?? []).map((one) => one.Prefix),
      ...(page.Contents ?? []).map((one) => one.Key),
    );
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  expect(found).toEqual(['a/', 'b', 'c/', 'd']);
  const below = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'c/', Delimiter: '/' }));
  expect([below.CommonPrefixes![0]!.Prefix, below.Contents![0]!.Key]).toEqual(['c/d/', 'c/e']);
  expect(
    (await client.send(new ListObjectsV2Command({ Bucket, StartAfter: 'c/d/2' }))).Contents!.map(
      (one) => one.Key,
    ),
  ).toEqual(['c/e', 'd']);
});

test('a copy keeps or replaces the metadata', async () => {
  await put('from', 'text', { ContentType: 'text/plain', Metadata: { a: '1' } });
  await client.send(new CopyObjectCommand({ Bucket, Key: 'kept', CopySource: `${Bucket}/from` }));
  await client.send(
    new CopyObjectCommand({
      Bucket,
      Key: 'new',
      CopySource: `/${Bucket}/from`,
      MetadataDirective: 'REPLACE',
      ContentType: 'text/html',
    }),
  );
  expect(await get('kept')).toMatchObject({ ContentType: 'text/plain', Metadata: { a: '1' } });
  expect(await get('new')).toMatchObject({ ContentType: 'text/html', Metadata: {} });
  await expect(
    client.send(new CopyObjectCommand({ Bucket, Key: 'x', CopySource: `${Bucket}/gone` })),
  ).rejects.toMatchObject({ name: 'NoSuchKey' });
});

describe('uploads in parts', () => {
  const begin = async (Key = 'm') =>
    (await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!;
  const part = async (UploadId: string, PartNumber: number, Body: Buffer) =>
    (await client.send(new UploadPartCommand({ Bucket, Key: 'm', UploadId, PartNumber, Body }))).ETag!;
  const complete = (UploadId: string, Parts: { PartNumber: number; ETag: string }[], IfNoneMatch?: string) =>
    client.send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key: 'm',
        UploadId,
        MultipartUpload: { Parts },
        IfNoneMatch,
      }),
    );

  test('are listed, checked and joined in order', async () => {
    const UploadId = await begin();
    const big = randomBytes(5 * 1024 * 1024);
    const second = await part(UploadId, 2, Buffer.from('tail'));
    const first = await part(UploadId, 1, big);
    expect(
      (await client.send(new ListPartsCommand({ Bucket, Key: 'm', UploadId }))).Parts!.map((one) => one.Size),
    ).toEqual([big.length, 4]);
    await expect(
      complete(UploadId, [
        { PartNumber: 2, ETag: second },
        { PartNumber: 1, ETag: first },
      ]),
    ).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete(UploadId, [{ PartNumber: 1, ETag: second }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await put('m', 'taken');
    const parts = [
      { PartNumber: 1, ETag: first },
      { PartNumber: 2, ETag: second },
    ];
    await expect(complete(UploadId, parts, '*')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await complete(UploadId, parts);
    expect(md5(await bytes('m'))).toBe(md5(Buffer.concat([big, Buffer.from('tail')])));
    await expect(complete(UploadId, parts)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  test('have parts of at least five megabytes but for the last, and can be given up', async () => {
    const UploadId = await begin();
    const parts = [1, 2].map(async (PartNumber) => ({
      PartNumber,
      ETag: await part(UploadId, PartNumber, Buffer.from('small')),
    }));
    await expect(complete(UploadId, await Promise.all(parts))).rejects.toMatchObject({
      name: 'EntityTooSmall',
    });
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key: 'm', UploadId }));
    await expect(part(UploadId, 3, Buffer.from('late'))).rejects.toMatchObject({ name: 'NoSuchUpload' });
    expect(readdirSync(join(dataDir, Bucket))).toEqual([]);
  });
});

describe('presigned URLs', () => {
  const presigner = () =>
    new S3Client({
      region: place.region,
      endpoint: url(''),
      credentials,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });

  test('upload with metadata and download with another name', async () => {
    const signer = presigner();
    const target = await getSignedUrl(
      signer,
      new PutObjectCommand({ Bucket, Key: 'p ü', Metadata: { a: 'b' } }),
      { expiresIn: 60 },
    );
    expect(
      (await fetch(target, { method: 'PUT', body: 'up', headers: { 'content-type': 'text/plain' } })).status,
    ).toBe(200);
    const source = await getSignedUrl(
      signer,
      new GetObjectCommand({ Bucket, Key: 'p ü', ResponseContentDisposition: 'attachment; filename="x"' }),
    );
    const answer = await fetch(source);
    expect([
      await answer.text(),
      answer.headers.get('content-disposition'),
      answer.headers.get('x-amz-meta-a'),
    ]).toEqual(['up', 'attachment; filename="x"', 'b']);
    signer.destroy();
  });

  test('end when they expire', async () => {
    const signer = presigner();
    const signingDate = new Date(Date.now() - 120_000);
    const answer = await fetch(
      await getSignedUrl(signer, new GetObjectCommand({ Bucket, Key: 'x' }), { expiresIn: 60, signingDate }),
    );
    expect([answer.status, await answer.text()]).toEqual([
      403,
      expect.stringContaining('Request has expired'),
    ]);
    signer.destroy();
  });

  test('carry the checksum they were signed with', async () => {
    const target = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'sum', Body: '' }), {
      expiresIn: 60,
    });
    const answer = await fetch(target, { method: 'PUT', body: 'another body' });
    expect(target).toContain('checksum');
    expect(answer.status).toBe(400);
  });
});

test('a request without a signature is denied, in XML', async () => {
  await put('secret');
  const answer = await fetch(url(`/${Bucket}/secret`));
  expect([answer.status, answer.headers.get('content-type')]).toEqual([403, 'application/xml']);
  expect(await answer.text()).toContain('<Code>AccessDenied</Code>');
});

describe('CORS', () => {
  const preflight = (origin: string, method: string, headers = 'content-type') =>
    fetch(url(`/${Bucket}/x`), {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers },
    });

  test('a preflight is answered by the first rule that allows it', async () => {
    const answer = await preflight('https://app.example.com', 'PUT');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(answer.headers.get('access-control-max-age')).toBe('60');
    expect((await preflight('https://evil.com', 'PUT')).status).toBe(403);
    expect((await preflight('https://app.example.com', 'DELETE')).status).toBe(403);
    expect((await preflight('https://app.example.com', 'PUT', 'x-odd')).status).toBe(403);
  });

  test('an answer carries the headers for its origin, refusals too', async () => {
    const answer = await fetch(url(`/${Bucket}/x`), { headers: { origin: 'https://app.example.com' } });
    expect(answer.headers.get('access-control-expose-headers')).toBe('ETag');
    expect(
      (await fetch(url(`/${Bucket}/x`), { headers: { origin: 'https://evil.com' } })).headers.get(
        'access-control-allow-origin',
      ),
    ).toBeNull();
  });
});

test('what is not there has its own error', async () => {
  await expect(get('gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
  await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'gone' }))).rejects.toMatchObject({
    name: 'NotFound',
  });
  await expect(
    client.send(new PutObjectCommand({ Bucket: 'other', Key: 'a', Body: 'x' })),
  ).rejects.toMatchObject({ name: 'NoSuchBucket' });
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'gone' }));
  await client.send(new HeadBucketCommand({ Bucket }));
  expect((await client.send(new ListBucketsCommand({}))).Buckets!.map((one) => one.Name)).toEqual([Bucket]);
});

describe('a bucket of a template', () => {
  test('gets a lower-case name and the domain names of AWS', async () => {
    expect(await create({ BucketEncryption: {}, PublicAccessBlockConfiguration: {} }, 'WebBucket9')).toEqual({
      ref: 'stack-webbucket9',
      attributes: expect.objectContaining({
        Arn: 'arn:aws:s3:::stack-webbucket9',
        RegionalDomainName: 'stack-webbucket9.s3.eu-central-1.amazonaws.com',
      }),
    });
    expect(service.bucketOfDomain('stack-webbucket9.s3.eu-central-1.amazonaws.com')).toBe('stack-webbucket9');
  });

  test.each([
    [{ NotificationConfiguration: {} }, /Bucket: NotificationConfiguration/],
    [{ ReplicationConfiguration: {} }, /ReplicationConfiguration/],
    [{ VersioningConfiguration: { Status: 'Enabled' } }, /versioning is not supported/],
    [{ BucketName: 'UPPER' }, /BucketName/],
    [{ BucketName: Bucket }, /exists already/],
  ])('%j is refused', async (properties, message) => {
    await expect(create(properties)).rejects.toThrow(message);
  });
});
