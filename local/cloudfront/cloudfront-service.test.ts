import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { S3Service } from '../s3/s3-service.ts';
import { CloudFrontService } from './cloudfront-service.ts';

const place = { region: 'eu-central-1', accountId: '123456789012' };
const SIMPLE_CORS = '60669652-455b-4ae9-85a4-c4c02393f86c';
const SECURITY = '67f7725c-6f97-4210-82d7-5512b31e9d03';
let dataDir: string;
let s3: S3Service;
let cloudFront: CloudFrontService;
let server: Server;
let client: S3Client;
let base: string;

const create = (type: string, properties: Record<string, unknown>, logicalId = 'Thing') =>
  cloudFront.providers[`AWS::CloudFront::${type}`]!({
    stackName: 'stack',
    logicalId,
    type: `AWS::CloudFront::${type}`,
    properties,
  });
const origin = (Id: string, bucket: string, more = {}) => ({
  Id,
  DomainName: `${bucket}.s3.eu-central-1.amazonaws.com`,
  S3OriginConfig: {},
  ...more,
});
const behavior = (TargetOriginId: string, more = {}) => ({
  TargetOriginId,
  ViewerProtocolPolicy: 'allow-all',
  ...more,
});
const distribution = async (config: Record<string, unknown>) => {
  const DistributionConfig = {
    Enabled: true,
    Origins: [origin('web', 'web'), origin('media', 'media', { OriginPath: '/v1' })],
    DefaultCacheBehavior: behavior('web'),
    ...config,
  };
  const made = await create('Distribution', { DistributionConfig });
  base = `http://${made.attributes['DomainName']}`;
  return made;
};
const put = (Bucket: string, Key: string, Body: string, ContentType = 'text/plain') =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType, CacheControl: 'max-age=60' }));

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'cloudfront-'));
  s3 = new S3Service({ place, dataDir, log: () => {} });
  server = createServer((request, response) => void s3.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new S3Client({
    region: place.region,
    endpoint,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    forcePathStyle: true,
  });
  for (const BucketName of ['web', 'media']) {
    await s3.providers['AWS::S3::Bucket']!({
      stackName: 's',
      logicalId: BucketName,
      type: 'AWS::S3::Bucket',
      properties: { BucketName },
    });
  }
  cloudFront = new CloudFrontService({ place, s3, log: () => {} });
  await put('web', 'index.html', '<p>home', 'text/html');
  await put('web', 'a b/ü.txt', '0123456789');
  await put('media', 'v1/media/cat.png', 'cat', 'image/png');
});
afterEach(async () => {
  client.destroy();
  await cloudFront.close();
  await s3.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dataDir, { recursive: true });
});

test('the root object and others come with their headers', async () => {
  await distribution({ DefaultRootObject: 'index.html' });
  const home = await fetch(base);
  expect([home.status, await home.text(), home.headers.get('content-type')]).toEqual([
    200,
    '<p>home',
    'text/html',
  ]);
  const text = await fetch(`${base}/a%20b/%C3%BC.txt?v=1`);
  expect([await text.text(), text.headers.get('cache-control')]).toEqual(['0123456789', 'max-age=60']);
});

test('ranges, HEAD and 304', async () => {
  await distribution({});
  const path = `${base}/a%20b/%C3%BC.txt`;
  const part = await fetch(path, { headers: { range: 'bytes=2-4' } });
  expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
    206,
    '234',
    'bytes 2-4/10',
  ]);
  const head = await fetch(path, { method: 'HEAD' });
  expect([head.headers.get('content-length'), await head.text()]).toEqual(['10', '']);
  expect((await fetch(path, { headers: { 'if-none-match': head.headers.get('etag')! } })).status).toBe(304);
  expect((await fetch(path, { headers: { range: 'bytes=99-' } })).status).toBe(416);
});

test('the path pattern chooses the origin', async () => {
  await distribution({ CacheBehaviors: [{ PathPattern: 'media/*.png', ...behavior('media') }] });
  expect(await (await fetch(`${base}/media/cat.png`)).text()).toBe('cat');
  expect((await fetch(`${base}/media/cat.gif`)).status).toBe(403);
});

test('what is not there is 403 as behind an origin access control, or the page that is configured', async () => {
  await distribution({});
  const denied = await fetch(`${base}/gone`);
  expect([denied.status, await denied.text()]).toEqual([403, expect.stringContaining('AccessDenied')]);
  await distribution({
    CustomErrorResponses: [{ ErrorCode: 403, ResponseCode: 200, ResponsePagePath: '/index.html' }],
  });
  const page = await fetch(`${base}/some/route`);
  expect([page.status, await page.text()]).toEqual([200, '<p>home']);
});

test('no path leaves the bucket and no method writes', async () => {
  await distribution({
    DefaultCacheBehavior: behavior('web', {
      AllowedMethods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'POST', 'PATCH', 'DELETE'],
    }),
  });
  for (const path of ['/../media/v1/media/cat.png', '/..%2f..%2fetc%2fpasswd', '//etc/passwd']) {
    expect((await fetch(`${base}${path}`)).status).toBe(403);
  }
  expect((await fetch(`${base}/%ff`)).status).toBe(400);
  expect((await fetch(`${base}/index.html`, { method: 'PUT', body: 'x' })).status).toBe(403);
});

describe('response headers policies', () => {
  test('managed ones', async () => {
    await distribution({
      DefaultCacheBehavior: behavior('web', { ResponseHeadersPolicyId: SIMPLE_CORS }),
      CacheBehaviors: [
        { PathPattern: '/media/*', ...behavior('media', { ResponseHeadersPolicyId: SECURITY }) },
      ],
    });
    const shared = await fetch(`${base}/index.html`, { headers: { origin: 'https://a.b' } });
    expect(shared.headers.get('access-control-allow-origin')).toBe('*');
    const safe = await fetch(`${base}/media/cat.png`);
    expect([safe.headers.get('x-content-type-options'), safe.headers.get('x-frame-options')]).toEqual([
      'nosniff',
      'SAMEORIGIN',
    ]);
  });

  test('one of the template, preflight included', async () => {
    const CorsConfig = {
      AccessControlAllowOrigins: { Items: ['https://app.test'] },
      AccessControlAllowHeaders: { Items: ['range'] },
      AccessControlAllowMethods: { Items: ['GET'] },
      AccessControlAllowCredentials: false,
      AccessControlMaxAgeSec: 60,
      OriginOverride: true,
    };
    const SecurityHeadersConfig = {
      ContentSecurityPolicy: { ContentSecurityPolicy: "default-src 'none'", Override: true },
    };
    const CustomHeadersConfig = { Items: [{ Header: 'x-own', Value: '1', Override: true }] };
    const { ref } = await create(
      'ResponseHeadersPolicy',
      { ResponseHeadersPolicyConfig: { Name: 'p', CorsConfig, SecurityHeadersConfig, CustomHeadersConfig } },
      'Policy',
    );
    await distribution({
      DefaultCacheBehavior: behavior('web', {
        ResponseHeadersPolicyId: ref,
        AllowedMethods: ['GET', 'HEAD', 'OPTIONS'],
      }),
    });
    const headers = { origin: 'https://app.test', 'access-control-request-method': 'GET' };
    const preflight = await fetch(`${base}/index.html`, { method: 'OPTIONS', headers });
    expect([
      preflight.status,
      preflight.headers.get('access-control-allow-methods'),
      preflight.headers.get('access-control-allow-headers'),
    ]).toEqual([200, 'GET', 'range']);
    const answer = await fetch(`${base}/index.html`, { headers: { origin: 'https://evil.test' } });
    expect([
      answer.headers.get('access-control-allow-origin'),
      answer.headers.get('x-own'),
      answer.headers.get('content-security-policy'),
    ]).toEqual([null, '1', "default-src 'none'"]);
  });
});

test('what cannot be served is refused at start', async () => {
  await expect(distribution({ Origins: [origin('web', 'unknown')] })).rejects.toThrow(
    /neither a bucket nor an API of this account/,
  );
  await expect(distribution({ DefaultCacheBehavior: behavior('nowhere') })).rejects.toThrow(
    /no origin nowhere/,
  );
  await expect(
    distribution({ DefaultCacheBehavior: behavior('web', { ResponseHeadersPolicyId: 'x' }) }),
  ).rejects.toThrow(/unknown ResponseHeadersPolicyId/);
  await expect(
    distribution({ DefaultCacheBehavior: behavior('web', { FunctionAssociations: [{}] }) }),
  ).rejects.toThrow(/FunctionAssociations/);
  await expect(distribution({ OriginGroups: {} })).rejects.toThrow(/OriginGroups/);
  expect((await create('OriginAccessControl', {})).ref).toMatch(/^E[0-9A-F]{13}$/);
});

test('a distribution takes the port it is given, by comment, and says when it is taken', async () => {
  const port = (server.address() as AddressInfo).port;
  const other = new CloudFrontService({ place, s3, ports: { Web: port }, log: () => {} });
  const DistributionConfig = {
    Comment: 'Web',
    Origins: [origin('web', 'web')],
    DefaultCacheBehavior: behavior('web'),
  };
  const made = other.providers['AWS::CloudFront::Distribution']!({
    stackName: 's',
    logicalId: 'D',
    type: 't',
    properties: { DistributionConfig },
  });
  await expect(made).rejects.toMatchObject({ code: 'PortUnavailable' });
  await other.close();
});
