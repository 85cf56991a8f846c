import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { apiRoutes, routeKeyOf, type ApiRoute } from '../shared-types/api-routes.ts';
import {
  referenceOf,
  statementsIn,
  Template,
  type Properties,
  type Resource,
} from './synthesized-fixture.ts';

const templates = { local: new Template('local'), dev: new Template('dev'), prod: new Template('prod') };
const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const authorizerOf = (template: Template): Properties => {
  const authorizers = template.ofType('AWS::ApiGatewayV2::Authorizer');
  expect(authorizers).toHaveLength(1);
  return authorizers[0]!.properties;
};
const routeKeys = (template: Template, authorizationType: string) =>
  template
    .ofType('AWS::ApiGatewayV2::Route')
    .filter(({ properties }) => properties['AuthorizationType'] === authorizationType)
    .map(({ properties }) => String(properties['RouteKey']))
    .sort();

describe.each(['dev', 'prod'] as const)('stage %s', (stage) => {
  const template = templates[stage];

  test('answers 401 by itself to a request that carries no credentials', () => {
    expect(authorizerOf(template)['IdentitySource']).toEqual(['$request.header.Authorization']);
  });

  test('limits the rate of both APIs', () => {
    for (const { properties } of template.ofType('AWS::ApiGatewayV2::Stage')) {
      const limits = { ThrottlingRateLimit: expect.any(Number), ThrottlingBurstLimit: expect.any(Number) };
      expect(properties['DefaultRouteSettings']).toMatchObject(limits);
    }
  });

  test('shows itself to the origins of its configuration and never to all', () => {
    const cors = ['AWS::ApiGatewayV2::Api', 'AWS::CloudFront::ResponseHeadersPolicy', 'AWS::S3::Bucket']
      .flatMap((type) => template.ofType(type))
      .map(({ properties }) => JSON.stringify(properties));
    for (const text of cors)
      expect(text).not.toMatch(/AllowOrigins"?:? ?(\{"Items":)?\["\*"\]|AllowedOrigins":\["\*"\]/);
  });

  test('serves media, page and API over https only', () => {
    const policies = template
      .ofType('AWS::CloudFront::Distribution')
      .map(({ properties }) => /"ViewerProtocolPolicy":"([a-z-]+)"/.exec(JSON.stringify(properties))?.[1]);
    expect(new Set(policies)).toEqual(new Set(['https-only', 'redirect-to-https']));
    expect(policies).toHaveLength(3);
  });

  test('remembers no answer of the API, and hands every header on', () => {
    const front = template
      .ofType('AWS::CloudFront::Distribution')
      .find(({ logicalId }) => logicalId.startsWith('ApiFront'));
    expect(front?.properties['DistributionConfig']).toMatchObject({
      DefaultCacheBehavior: {
        // CachingDisabled, AllViewerExceptHostHeader: managed policies of AWS.
        CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad',
        OriginRequestPolicyId: 'b689b0a8-53d0-40ab-baf2-68738e2966ac',
        FunctionAssociations: [{ EventType: 'viewer-request' }],
      },
      Origins: [{ CustomOriginConfig: { OriginProtocolPolicy: 'https-only' } }],
    });
  });
});

describe.each(['local', 'dev', 'prod'] as const)('in stage %s', (stage) => {
  const template = templates[stage];
  const buckets = template.ofType('AWS::S3::Bucket');
  const distributionOf = (name: string): Resource | undefined =>
    template.ofType('AWS::CloudFront::Distribution').find(({ logicalId }) => logicalId.startsWith(name));
  const media = distributionOf('Cdn')!;
  const page = distributionOf('Page');

  test('no bucket can be made public', () => {
    expect(buckets).toHaveLength(page === undefined ? 3 : 4);
    for (const { properties } of buckets) {
      expect(properties['PublicAccessBlockConfiguration']).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      });
      expect(properties['WebsiteConfiguration']).toBeUndefined();
    }
  });

  test('bucket policies let in a distribution, to read what it serves, and nobody else', () => {
    const allowed = template
      .ofType('AWS::S3::BucketPolicy')
      .flatMap(statementsIn)
      .filter(({ effect }) => effect === 'Allow');
    const readers = allowed.map(({ actions, principal, condition, resources }) => {
      expect(actions).toEqual(['s3:GetObject']);
      expect(principal).toEqual({ Service: 'cloudfront.amazonaws.com' });
      const [, distribution] = /distribution\/",\{"Ref":"(\w+)"/.exec(JSON.stringify(condition)) ?? [];
      return [/"(\w+Bucket)[0-9A-F]{8}"/.exec(JSON.stringify(resources))?.[1], distribution];
    });
    expect(new Map(readers as [string, string][])).toEqual(
      new Map([
        ['MediaBucket', media.logicalId],
        ...(page === undefined ? [] : ([['PageFilesBucket', page.logicalId]] as const)),
      ]),
    );
    expect(readers).toHaveLength(page === undefined ? 1 : 2);
  });

  test('every bucket and queue refuses a request without TLS', () => {
    const guarded = ['AWS::S3::BucketPolicy', 'AWS::SQS::QueuePolicy'].flatMap((type) =>
      template.ofType(type),
    );
    expect(guarded).toHaveLength(buckets.length + template.ofType('AWS::SQS::Queue').length);
    for (const policy of guarded) {
      const denied = statementsIn(policy).filter(({ effect }) => effect === 'Deny');
      expect(denied.map(({ condition }) => condition)).toContainEqual({
        Bool: { 'aws:SecureTransport': 'false' },
      });
    }
  });

  test('no function has a URL of its own, and every permission names its caller', () => {
    expect(template.ofType('AWS::Lambda::Url')).toEqual([]);
    for (const { properties } of template.ofType('AWS::Lambda::Permission')) {
      expect(properties['Principal']).toMatch(/^(events|apigateway)\.amazonaws\.com$/);
      expect(properties['SourceArn']).toBeDefined();
    }
  });

  test('stored pages and pictures can neither run nor be taken for another type', () => {
    const { DefaultCacheBehavior, CacheBehaviors } = media.properties['DistributionConfig'] as {
      DefaultCacheBehavior: { ResponseHeadersPolicyId: unknown };
      CacheBehaviors?: unknown;
    };
    expect(CacheBehaviors).toBeUndefined();
    const headers = template.get(referenceOf(DefaultCacheBehavior.ResponseHeadersPolicyId) ?? '').properties;
    expect(headers).toMatchObject({
      ResponseHeadersPolicyConfig: {
        SecurityHeadersConfig: {
          ContentTypeOptions: { Override: true },
          ContentSecurityPolicy: {
            Override: true,
            ContentSecurityPolicy: expect.stringMatching(/^default-src 'none';.*; sandbox$/),
          },
        },
      },
    });
  });

  test('an access log keeps neither query nor token', () => {
    const [, format] = /"Format":"(.*?[^\\])"/.exec(JSON.stringify(template.json)) ?? [];
    expect(format).toContain('$context.requestId');
    expect(format).not.toMatch(/querystring|authorizer|\$context\.path/i);
  });
});

describe.each(['local', 'dev', 'prod'] as const)('the task API in stage %s', (stage) => {
  const template = templates[stage];
  const all: readonly ApiRoute[] = Object.values(apiRoutes);

  test('has just the routes of the table, each to its function', () => {
    const routes = template
      .ofType('AWS::ApiGatewayV2::Route')
      .filter(({ properties }) => String(properties['RouteKey']).includes(' '));
    const reached = routes.map(({ properties }): [string, string | undefined] => {
      const [, integration = ''] = /"Ref":"(\w+)"/.exec(JSON.stringify(properties['Target'])) ?? [];
      const uri = JSON.stringify(template.get(integration).properties['IntegrationUri']);
      return [String(properties['RouteKey']), /"Fn::GetAtt":\["(\w+)"/.exec(uri)?.[1]];
    });
    const wanted = all.map((route): [string, string] => [
      routeKeyOf(route),
      template.function(route.function).logicalId,
    ]);
    expect(new Map(reached)).toEqual(new Map(wanted));
    expect(reached).toHaveLength(wanted.length);
  });

  test('asks who calls on every route but those that say nothing about anybody', () => {
    const keys = (open: boolean) => all.filter(({ scope }) => (scope === 'none') === open).map(routeKeyOf);
    expect(routeKeys(template, 'CUSTOM')).toEqual([...keys(false)].sort());
    expect(routeKeys(template, 'NONE')).toEqual(
      [...keys(true), '$connect', '$default', '$default', '$disconnect', 'subscribe'].sort(),
    );
    expect(keys(true)).toEqual(['GET /api/v1/openapi.json', 'GET /api/v1/docs']);
  });

  test('has one authorizer, which is asked anew for each request', () => {
    const properties = authorizerOf(template);
    expect(properties).toMatchObject({
      AuthorizerType: 'REQUEST',
      AuthorizerPayloadFormatVersion: '2.0',
      EnableSimpleResponses: true,
      AuthorizerResultTtlInSeconds: 0,
    });
    const { logicalId } = template.function('authorize-request');
    expect(JSON.stringify(properties['AuthorizerUri'])).toContain(logicalId);
  });

  test('lets pages of its origins send what the API reads', () => {
    const [api] = template
      .ofType('AWS::ApiGatewayV2::Api')
      .filter(({ properties }) => properties['ProtocolType'] === 'HTTP');
    const cors = api!.properties['CorsConfiguration'];
    expect(cors).toMatchObject({
      AllowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      AllowHeaders: ['authorization', 'content-type', 'content-encoding', 'idempotency-key'],
    });
    // Where nobody named another, the page of the stage is the only one.
    const { AllowOrigins: origins } = cors as { AllowOrigins: readonly unknown[] };
    if (stage === 'prod') expect(origins).toHaveLength(1);
  });
});

test('every function of the task API stands behind the edge that knows who calls', () => {
  const names = new Set(Object.values(apiRoutes).map((route) => route.function));
  const folders = [...names].map((name) => join(projectRoot, 'functions', name)).filter(existsSync);
  const sources = folders.map((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n'),
  );
  expect(sources.length).toBeGreaterThan(0);
  expect(sources.filter((text) => text !== '' && !/\bhttpHandler\(/.test(text))).toEqual([]);
});

test('the stage local lets requests without credentials through to its authorizer', () => {
  expect(authorizerOf(templates.local)['IdentitySource']).toEqual([]);
});

test('pages may upload to presigned URLs, and do nothing else with uploads', () => {
  const bucket = templates.dev
    .ofType('AWS::S3::Bucket')
    .find(({ logicalId }) => logicalId.startsWith('Uploads'));
  expect(bucket!.properties).toMatchObject({
    CorsConfiguration: { CorsRules: [{ AllowedMethods: ['PUT'] }] },
    LifecycleConfiguration: { Rules: [{ ExpirationInDays: 7 }] },
  });
});
