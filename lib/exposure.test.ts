import { describe, expect, test } from '@jest/globals';
import { referenceOf, statementsIn, Template } from './synthesized-fixture.ts';

const templates = { local: new Template('local'), dev: new Template('dev'), prod: new Template('prod') };
const routeKeys = (template: Template, authorizationType: string) =>
  template
    .ofType('AWS::ApiGatewayV2::Route')
    .filter(({ properties }) => properties['AuthorizationType'] === authorizationType)
    .map(({ properties }) => String(properties['RouteKey']))
    .sort();

describe.each(['dev', 'prod'] as const)('stage %s', (stage) => {
  const template = templates[stage];

  test('asks every HTTP request for a token of the issuer', () => {
    expect(routeKeys(template, 'JWT')).toEqual(['GET /api/v1/tasks/{id}', 'POST /api/v1/tasks']);
    const jwt = template
      .ofType('AWS::ApiGatewayV2::Authorizer')
      .find((a) => a.properties['AuthorizerType'] === 'JWT');
    expect(jwt!.properties).toMatchObject({
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: 'https://issuer.example.com', Audience: ['comfyui'] },
    });
  });

  test('asks every WebSocket connection for a token, once, at $connect', () => {
    expect(routeKeys(template, 'CUSTOM')).toEqual(['$connect']);
    expect(routeKeys(template, 'NONE')).toEqual(['$default', '$disconnect', 'subscribe']);
    const request = template
      .ofType('AWS::ApiGatewayV2::Authorizer')
      .find((authorizer) => authorizer.properties['AuthorizerType'] === 'REQUEST');
    expect(request!.properties['IdentitySource']).toEqual(['route.request.querystring.token']);
    expect(JSON.stringify(request!.properties['AuthorizerUri'])).toContain(
      template.function('authorize-connection').logicalId,
    );
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

  test('serves media over https only', () => {
    const [distribution] = template.ofType('AWS::CloudFront::Distribution');
    expect(JSON.stringify(distribution!.properties)).toContain('"ViewerProtocolPolicy":"redirect-to-https"');
  });
});

describe.each(['local', 'dev', 'prod'] as const)('in stage %s', (stage) => {
  const template = templates[stage];
  const buckets = template.ofType('AWS::S3::Bucket');

  test('no bucket can be made public', () => {
    expect(buckets).toHaveLength(2);
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

  test('bucket policies let in the distribution, to read media, and nobody else', () => {
    const allowed = template
      .ofType('AWS::S3::BucketPolicy')
      .flatMap(statementsIn)
      .filter(({ effect }) => effect === 'Allow');
    expect(allowed).toHaveLength(1);
    expect(allowed[0]).toMatchObject({
      actions: ['s3:GetObject'],
      principal: { Service: 'cloudfront.amazonaws.com' },
    });
    const [distribution] = template.ofType('AWS::CloudFront::Distribution');
    expect(JSON.stringify(allowed[0]!.condition)).toContain(`{"Ref":"${distribution!.logicalId}"}`);
    expect(JSON.stringify(allowed[0]!.resources)).toContain('"MediaBucket');
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
    const [distribution] = template.ofType('AWS::CloudFront::Distribution');
    const { DefaultCacheBehavior, CacheBehaviors } = distribution!.properties['DistributionConfig'] as {
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

test('only the stage local is open', () => {
  expect(routeKeys(templates.local, 'NONE')).toHaveLength(6);
  expect(templates.local.ofType('AWS::ApiGatewayV2::Authorizer')).toEqual([]);
});
