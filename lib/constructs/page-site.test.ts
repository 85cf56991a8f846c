import { describe, expect, test } from '@jest/globals';
import { withPolicy } from './page-policy.ts';
import { addPipeline, createApp } from '../pipeline-app.ts';
import { StageConfigError } from '../stage-config.ts';
import { referenceOf, Template, type Properties, type Resource } from '../synthesized-fixture.ts';

const template = new Template('prod');
const page = template
  .ofType('AWS::CloudFront::Distribution')
  .find(({ logicalId }) => logicalId.startsWith('Page')) as Resource;
const config = page.properties['DistributionConfig'] as Readonly<Record<string, unknown>>;
const behavior = config['DefaultCacheBehavior'] as Readonly<Record<string, unknown>>;
const ORIGIN = { 'Fn::Join': ['', ['https://', { 'Fn::GetAtt': [page.logicalId, 'DomainName'] }]] };

/** Text of a value, with `<…>` for what is known at deployment only. */
const flat = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return String(value);
  if ('Ref' in value) return `<${String(value.Ref)}>`;
  if ('Fn::GetAtt' in value) return `<${(value['Fn::GetAtt'] as string[]).join('.')}>`;
  if (!('Fn::Join' in value)) return JSON.stringify(value);
  const [delimiter, parts] = value['Fn::Join'] as [string, unknown[]];
  return parts.map(flat).join(delimiter);
};
const directives = (policy: string): Map<string, string> =>
  new Map(policy.split('; ').map((part) => [part.split(' ')[0] ?? '', part.split(' ').slice(1).join(' ')]));

describe('the page', () => {
  const headers = template.get(referenceOf(behavior['ResponseHeadersPolicyId']) ?? '').properties[
    'ResponseHeadersPolicyConfig'
  ] as Readonly<Record<string, Properties>>;
  const security = headers['SecurityHeadersConfig'] as Readonly<Record<string, Properties>>;

  test('is read by its distribution alone, over https alone, and begins at index.html', () => {
    expect(config).toMatchObject({ DefaultRootObject: 'index.html', HttpVersion: 'http2and3' });
    expect(behavior).toMatchObject({ AllowedMethods: ['GET', 'HEAD'], ViewerProtocolPolicy: 'https-only' });
    const [origin] = config['Origins'] as Readonly<Record<string, unknown>>[];
    expect(referenceOf(origin!['DomainName'])).toMatch(/^PageFilesBucket/);
    expect(referenceOf(origin!['OriginAccessControlId'])).toMatch(/^PageAccessControl/);
  });

  test('carries headers that no file of it can change', () => {
    expect(security).toMatchObject({
      ContentTypeOptions: { Override: true },
      FrameOptions: { FrameOption: 'DENY', Override: true },
      ReferrerPolicy: { ReferrerPolicy: 'no-referrer', Override: true },
      StrictTransportSecurity: { AccessControlMaxAgeSec: 31_536_000, Override: true },
    });
    const { Items: custom } = headers['CustomHeadersConfig'] as { Items: readonly Properties[] };
    expect(custom).toContainEqual({
      Header: 'Permissions-Policy',
      Override: true,
      Value: expect.stringContaining('camera=()'),
    });
  });

  test('may run its own code only, and reach no more than the services of its region', () => {
    const policy = security['ContentSecurityPolicy']!;
    expect(policy['Override']).toBe(true);
    expect(Object.fromEntries(directives(flat(policy['ContentSecurityPolicy'])))).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'img-src': "'self' data: blob: https://*.cloudfront.net",
      'media-src': 'blob: https://*.cloudfront.net',
      'connect-src': [
        "'self'",
        'https://*.cloudfront.net',
        'wss://*.execute-api.<AWS::Region>.<AWS::URLSuffix>',
        'https://*.s3.<AWS::Region>.<AWS::URLSuffix>',
      ].join(' '),
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
    });
  });

  test('may call the API, read the media and upload', () => {
    const corsOf = (type: string, name: string): unknown => {
      const found = template.ofType(type).find(({ logicalId }) => logicalId.startsWith(name));
      return JSON.stringify(found?.properties);
    };
    for (const [type, name] of [
      ['AWS::ApiGatewayV2::Api', 'TaskApi'],
      ['AWS::CloudFront::ResponseHeadersPolicy', 'Cdn'],
      ['AWS::S3::Bucket', 'MediaBucket'],
      ['AWS::S3::Bucket', 'UploadsBucket'],
    ] as const)
      expect(corsOf(type, name)).toContain(JSON.stringify(ORIGIN));
    expect(corsOf('AWS::S3::Bucket', 'WorkflowsBucket')).not.toContain('CorsRules');
  });
});

describe('its files', () => {
  const copies = template.ofType('Custom::CDKBucketDeployment');
  const copyNamed = (name: string): Resource => copies.find(({ logicalId }) => logicalId.includes(name))!;
  const cacheOf = (name: string): unknown =>
    (copyNamed(name).properties['SystemMetadata'] as Readonly<Record<string, unknown>>)['cache-control'];

  test('are kept for ever when their name holds their hash, and asked for anew when it does not', () => {
    expect(cacheOf('Hashed')).toBe('public, max-age=31536000, immutable');
    expect(cacheOf('Entry')).toBe('no-cache');
    for (const { properties } of copies) expect(properties['Prune']).toBe(false);
  });

  test('are there before the page that names them', () => {
    const resources = template.json['Resources'] as Readonly<Record<string, { DependsOn?: string[] }>>;
    expect(resources[copyNamed('Entry').logicalId]?.DependsOn).toContain(copyNamed('Hashed').logicalId);
  });

  test('say where the API of this stage is, and bind the page to just these hosts', () => {
    const [policyHosts, configValues] = copyNamed('Entry').properties['SourceMarkers'] as [
      Readonly<Record<string, unknown>>,
      Readonly<Record<string, unknown>>,
    ];
    const named = (values: Readonly<Record<string, unknown>>) =>
      [...new Set(Object.values(values).map(flat))].map((text) => text.replace(/[0-9A-F]{8}\./, '.')).sort();
    expect(named(configValues)).toEqual(['<ApiFrontDistribution.DomainName>', '<LiveApi.ApiEndpoint>']);
    expect(named(policyHosts)).toEqual([
      '<ApiFrontDistribution.DomainName>',
      '<CdnDistribution.DomainName>',
      '<LiveApi.ApiEndpoint>',
      '<UploadsBucket.RegionalDomainName>',
    ]);
  });

  test('are copied by a role that reads three archives and writes to the one bucket', () => {
    const [copier] = template
      .ofType('AWS::Lambda::Function')
      .filter(({ properties }) => properties['FunctionName'] === undefined);
    const role = referenceOf(copier!.properties['Role']);
    const policies = template
      .ofType('AWS::IAM::Policy')
      .filter(({ properties }) => JSON.stringify(properties['Roles']).includes(`"${role}"`));
    const text = JSON.stringify(policies.map(({ properties }) => properties['PolicyDocument']));
    expect([...text.matchAll(/"(s3|logs):(\w+)"/g)].map(([, , action]) => String(action)).sort()).toEqual([
      'AbortMultipartUpload',
      'CreateLogStream',
      'GetObject',
      'ListBucket',
      'PutLogEvents',
      'PutObject',
    ]);
    expect([...text.matchAll(/\/[0-9a-f]{64}\.zip"/g)]).toHaveLength(3);
  });
});

test('a policy stands before all that it binds, and after the charset', () => {
  const html =
    '<!doctype html><html><head><meta charset="utf-8" /><script src="/a.js"></script></head></html>';
  expect(withPolicy(html, "default-src 'none'")).toMatch(
    /<head><meta charset="utf-8" \/>\s*<meta http-equiv="Content-Security-Policy" content="default-src 'none'" \/><script/,
  );
  expect(withPolicy('<head><script></script></head>', 'x')).toMatch(/<head>\s*<meta http-equiv.*<script>/);
  expect(withPolicy('<p>no head</p>', 'x')).toBeUndefined();
});

describe('a stage that deploys a page that was not built', () => {
  const refusalOf = (pageRoot: string | undefined): unknown => {
    const context = { stage: 'prod', jwtIssuer: 'https://issuer.example.com', jwtAudience: 'comfyui' };
    try {
      return addPipeline(createApp({ outdir: '/nonexistent', context }), '', pageRoot);
    } catch (error) {
      return error;
    }
  };

  test.each([undefined, '', '/nonexistent/page'])('is refused with one line: %p', (pageRoot) => {
    const refusal = refusalOf(pageRoot) as StageConfigError;
    expect(refusal).toBeInstanceOf(StageConfigError);
    expect(refusal.code).toBe('page.missing');
    expect(refusal.message).toContain('vite build');
    expect(refusal.message).not.toContain('\n');
  });

  test('is not asked for where the stage has none', () => {
    const distributions = new Template('local').ofType('AWS::CloudFront::Distribution');
    expect(distributions.filter(({ logicalId }) => logicalId.startsWith('Page'))).toEqual([]);
  });
});
