/** Distributions in front of an API, and the functions at their edge. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { S3Service } from '../s3/s3-service.ts';
import { CloudFrontService } from './cloudfront-service.ts';

const place = { region: 'eu-central-1', accountId: '123456789012' };
const EVERYTHING = 'b689b0a8-53d0-40ab-baf2-68738e2966ac';
const ALL = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE'];
/** Answers 418 to `/teapot`; all else goes on. */
const TEAPOT = `function handler(event) {
  if (event.request.uri !== '/teapot') return event.request;
  return { statusCode: 418, statusDescription: 'Short', headers: { 'x-who': { value: event.request.headers['x-me'].value } }, body: 'stout' };
}`;

let dataDir: string;
let s3: S3Service;
let cloudFront: CloudFrontService;
let api: Server;
let domain: string;
let seen: { readonly request: IncomingMessage; readonly body: string }[];

const create = (type: string, properties: Record<string, unknown>) =>
  cloudFront.providers[`AWS::CloudFront::${type}`]!({
    stackName: 'stack',
    logicalId: 'Thing',
    type: `AWS::CloudFront::${type}`,
    properties,
  });
const edgeFunction = (FunctionCode: string, more = {}) =>
  create('Function', {
    Name: 'edge',
    AutoPublish: true,
    FunctionCode,
    FunctionConfig: { Comment: '', Runtime: 'cloudfront-js-2.0' },
    ...more,
  });
const distribution = async (behavior: Record<string, unknown> = {}, origin = {}): Promise<string> => {
  const made = await create('Distribution', {
    DistributionConfig: {
      Enabled: true,
      Origins: [{ Id: 'api', DomainName: domain, CustomOriginConfig: {}, ...origin }],
      DefaultCacheBehavior: {
        TargetOriginId: 'api',
        ViewerProtocolPolicy: 'allow-all',
        AllowedMethods: ALL,
        OriginRequestPolicyId: EVERYTHING,
        ...behavior,
      },
    },
  });
  return `http://${made.attributes['DomainName']}`;
};
const behind = async (code: string): Promise<string> => {
  const { attributes } = await edgeFunction(code);
  return distribution({
    FunctionAssociations: [{ EventType: 'viewer-request', FunctionARN: attributes['FunctionARN'] }],
  });
};

const makeSomething = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
  seen.push({ request: incoming, body: (await buffer(incoming)).toString() });
  response.writeHead(201, { 'x-own': '1', 'set-cookie': ['a=1', 'b=2'] }).end(`made ${incoming.url}`);
};

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'cloudfront-'));
  s3 = new S3Service({ place, dataDir, log: () => {} });
  seen = [];
  api = createServer((incoming, response) => {
    void makeSomething(incoming, response);
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  domain = `127.0.0.1:${(api.address() as AddressInfo).port}`;
  const apiAt = (asked: string) => (asked === domain ? `http://${domain}` : undefined);
  cloudFront = new CloudFrontService({ place, s3, apiAt, log: () => {} });
});
afterEach(async () => {
  await cloudFront.close();
  await s3.close();
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
  rmSync(dataDir, { recursive: true });
});

test('method, query, body and headers reach the API, and its answer comes back', async () => {
  const base = await distribution({}, { OriginPath: '/live' });
  const headers = { authorization: 'Bearer x', cookie: 'c=1' };
  const answer = await fetch(`${base}/tasks?a=1&b=%20`, { method: 'PATCH', body: 'how are you', headers });
  expect([answer.status, await answer.text(), answer.headers.get('x-own')]).toEqual([
    201,
    'made /live/tasks?a=1&b=%20',
    '1',
  ]);
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(seen[0]?.body).toBe('how are you');
  expect(seen[0]?.request.method).toBe('PATCH');
  expect(seen[0]?.request.headers).toMatchObject({
    ...headers,
    host: domain,
    'x-forwarded-for': '127.0.0.1',
    'content-length': '11',
  });
});

test('a method that is not allowed does not reach the API', async () => {
  const base = await distribution({ AllowedMethods: ['GET', 'HEAD'] });
  expect((await fetch(base, { method: 'POST', body: 'x' })).status).toBe(403);
  expect(seen).toEqual([]);
});

test('an API that is gone is a bad gateway', async () => {
  const base = await distribution();
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
  expect((await fetch(base)).status).toBe(502);
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
});

describe('a function at the edge', () => {
  test('lets a request go on, or answers it', async () => {
    const base = await behind(TEAPOT);
    expect((await fetch(`${base}/coffee`)).status).toBe(201);
    const answer = await fetch(`${base}/teapot`, { headers: { 'x-me': 'I' } });
    expect([answer.status, answer.statusText, await answer.text(), answer.headers.get('x-who')]).toEqual([
      418,
      'Short',
      'stout',
      'I',
    ]);
    expect(seen).toHaveLength(1);
  });

  test('answers before the body has come, and the caller reads it', async () => {
    const base = await behind(TEAPOT);
    const outgoing = request(`${base}/teapot`, {
      method: 'POST',
      headers: { 'content-length': 50_000_000, 'x-me': 'I' },
    });
    outgoing.on('error', () => {});
    const answered = new Promise<IncomingMessage>((resolve) => outgoing.once('response', resolve));
    outgoing.write(Buffer.alloc(100_000));
    const answer = await answered;
    expect([answer.statusCode, (await buffer(answer)).toString()]).toEqual([418, 'stout']);
    outgoing.destroy();
  });

  test('that throws, or changes the request, is an error and reaches no API', async () => {
    const codes = [
      'function handler() { throw new Error("no"); }',
      'function handler(event) { event.request.uri = "/other"; return event.request; }',
      'function handler() { for (;;); }',
      'function handler() { return 7; }',
    ];
    for (const code of codes) expect((await fetch(await behind(code))).status).toBe(500);
    expect(seen).toEqual([]);
  });

  test('is refused at start when it cannot run', async () => {
    await expect(edgeFunction('function (')).rejects.toThrow(/FunctionCode does not run: SyntaxError/);
    await expect(edgeFunction('var handle = 1')).rejects.toThrow(/no function handler/);
    await expect(edgeFunction(TEAPOT, { AutoPublish: false })).rejects.toThrow(/AutoPublish/);
    await expect(edgeFunction(`//${'x'.repeat(10_240)}`)).rejects.toThrow(/10 KB/);
    const FunctionConfig = { Runtime: 'cloudfront-js-3.0' };
    await expect(edgeFunction(TEAPOT, { FunctionConfig })).rejects.toThrow(/Runtime/);
    const viewer = { EventType: 'viewer-response', FunctionARN: 'x' };
    await expect(distribution({ FunctionAssociations: [viewer] })).rejects.toThrow(/must be viewer-request/);
    const unknown = { EventType: 'viewer-request', FunctionARN: 'arn:x' };
    await expect(distribution({ FunctionAssociations: [unknown] })).rejects.toThrow(
      /unknown FunctionARN arn:x/,
    );
  });
});

test('an API that would not see every header is refused at start', async () => {
  await expect(distribution({ OriginRequestPolicyId: undefined })).rejects.toThrow(
    /AllViewerExceptHostHeader/,
  );
});
