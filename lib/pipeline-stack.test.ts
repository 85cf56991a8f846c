import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { ENV } from '../shared-types/env-names.ts';
import { asyncFunctionNames, functionNames, functionSpecs } from './function-specs.ts';
import { createApp } from './pipeline-app.ts';
import { PipelineStack } from './pipeline-stack.ts';
import { referenceOf, Template, type Properties } from './synthesized-fixture.ts';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const templates = { local: new Template('local'), dev: new Template('dev'), prod: new Template('prod') };
const { dev, local, prod } = templates;
/** With everything that a stage can have. */
const full = new Template('dev', { previews: 'true' });
const environmentOf = (properties: Properties) =>
  (properties['Environment'] as { Variables: Record<string, unknown> }).Variables;

/** What the embedded AWS runs, or may leave out without changing what happens. */
const knownTypes = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Authorizer',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::CloudFront::Distribution',
  'AWS::CloudFront::Function',
  'AWS::CloudFront::OriginAccessControl',
  'AWS::CloudFront::ResponseHeadersPolicy',
  'AWS::CloudWatch::Alarm',
  'AWS::DynamoDB::Table',
  'AWS::Events::Archive',
  'AWS::Events::EventBus',
  'AWS::Events::EventBusPolicy',
  'AWS::Events::Rule',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
];

/** The resources that one names, by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`. */
const referencesOf = (template: Template, { logicalId }: { readonly logicalId: string }): Set<string> => {
  const text = JSON.stringify((template.json['Resources'] as Record<string, unknown>)[logicalId]);
  const quoted = [...text.matchAll(/"(\w+)"|\$\{(\w+)/g)].map(
    ([, plain, substituted]) => plain ?? substituted,
  );
  const all = new Set(template.resources.map((resource) => resource.logicalId));
  return new Set(quoted.flatMap((id) => (id !== undefined && all.has(id) && id !== logicalId ? [id] : [])));
};

/** What puts the page into its bucket, and nothing else that runs code at deployment. */
const pageTypes = ['AWS::Lambda::LayerVersion', 'Custom::CDKBucketDeployment'];
const isDeployed = (stage: string): boolean => stage !== 'local';

describe.each(['local', 'dev', 'prod'] as const)('the template of %s', (stage) => {
  const template = templates[stage];

  test('is made of known types', () => {
    const types = new Set(template.resources.map(({ type }) => type));
    const others = [...types].filter((type) => !knownTypes.includes(type));
    expect(others.sort()).toEqual(isDeployed(stage) ? pageTypes : []);
  });

  test('has no circle of resources that wait for each other', () => {
    const open = new Map(
      template.resources.map((resource) => [resource.logicalId, referencesOf(template, resource)]),
    );
    for (let ready = [...open].filter(([, needs]) => needs.size === 0); ready.length > 0;) {
      for (const [id] of ready) open.delete(id);
      for (const needs of open.values()) for (const [id] of ready) needs.delete(id);
      ready = [...open].filter(([, needs]) => needs.size === 0);
    }
    expect([...open.keys()]).toEqual([]);
  });

  test('can stand in several regions of one account, which share the names of CloudFront', () => {
    const names = template.resources
      .filter(({ type }) => type.startsWith('AWS::CloudFront::'))
      .flatMap(({ properties }) => [properties, ...(Object.values(properties) as Properties[])])
      .flatMap(({ Name: name }) => (name === undefined ? [] : [JSON.stringify(name)]));
    expect(names).toHaveLength(isDeployed(stage) ? 5 : 3);
    expect(names.filter((name) => !name.includes('{"Ref":"AWS::Region"}'))).toEqual([]);
  });

  test('stays far below the limits of CloudFormation', () => {
    expect(template.resources.length).toBeLessThan(400);
    expect(JSON.stringify(template.json).length).toBeLessThan(500_000);
  });

  test('tells clients where everything is', () => {
    expect(Object.keys(template.json['Outputs'] as object).sort()).toEqual(
      [
        ...(isDeployed(stage) ? [] : ['PreviewFunctionName']),
        'ApiUrl',
        'WebSocketUrl',
        'EventBusName',
        'EventBusArn',
        'CdnDomain',
        'CdnUrl',
        'MediaBucketName',
        'WorkflowBucketName',
        'UploadBucketName',
        'TableName',
        'MonitorPolicyArn',
        ...(isDeployed(stage) ? ['PageUrl'] : []),
      ].sort(),
    );
  });

  test('keeps every log for a stated time', () => {
    const logGroups = template.ofType('AWS::Logs::LogGroup');
    expect(logGroups).toHaveLength(template.ofType('AWS::Lambda::Function').length + 1);
    for (const { properties } of logGroups) expect(properties['RetentionInDays']).toEqual(expect.any(Number));
  });

  test('has one table that can be restored and forgets what has expired', () => {
    const tables = template.ofType('AWS::DynamoDB::Table');
    expect(tables.map(({ properties }) => properties)).toMatchObject([
      {
        TableName: `${stage}-comfyui-pipeline`,
        BillingMode: 'PAY_PER_REQUEST',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      },
    ]);
  });

  test('finds jobs by user and by due time, in the indexes that the stores read', () => {
    const [table] = template.ofType('AWS::DynamoDB::Table');
    const key = (AttributeName: string, KeyType: string) => ({ AttributeName, KeyType });
    const projected = (...NonKeyAttributes: string[]) => ({ ProjectionType: 'INCLUDE', NonKeyAttributes });
    expect(table?.properties['GlobalSecondaryIndexes']).toEqual([
      {
        IndexName: 'by-user',
        KeySchema: [key('userId', 'HASH'), key('createdKey', 'RANGE')],
        Projection: projected('jobId', 'status', 'workflowId'),
      },
      {
        IndexName: 'by-due',
        KeySchema: [key('due', 'HASH'), key('dueAt', 'RANGE')],
        Projection: projected('jobId'),
      },
    ]);
  });

  test('runs every function on arm64 and the newest Node.js, with a log group and structured logs', () => {
    for (const { properties } of template.functions()) {
      expect(properties).toMatchObject({
        Architectures: ['arm64'],
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        LoggingConfig: { LogFormat: 'JSON', LogGroup: { Ref: expect.any(String) } },
      });
    }
  });

  test('has no address, account or region written into it but the pinned account', () => {
    const text = JSON.stringify(template.json).replaceAll('000000000000', '');
    expect(text).not.toMatch(/\b\d{12}\b|\b(us|eu|ap)-[a-z]+-\d\b/);
  });
});

describe.each(functionNames)('%s', (name) => {
  const { properties } = full.function(name);

  test('gets the time, the memory and the variables of its specification', () => {
    const { timeoutSeconds, memoryMb, env } = functionSpecs[name];
    expect(properties).toMatchObject({ Timeout: timeoutSeconds, MemorySize: memoryMb });
    const expected = ['STAGE', ...env.map((key) => ENV[key])].sort();
    expect(Object.keys(environmentOf(properties)).sort()).toEqual(expected);
  });

  test('gets every variable that its handler reads', () => {
    const handler = join(projectRoot, 'functions', name, 'handler.ts');
    const source = existsSync(handler) ? readFileSync(handler, 'utf8') : '';
    const read = [...source.matchAll(/\bENV\.(\w+)/g)].map(([, key]) => ENV[key as keyof typeof ENV]);
    expect(read.filter((variable) => !(variable in environmentOf(properties)))).toEqual([]);
  });
});

test('every handler in functions/ is deployed', () => {
  const folders = readdirSync(join(projectRoot, 'functions'));
  const handlers = folders.filter((name) => existsSync(join(projectRoot, 'functions', name, 'handler.ts')));
  expect(handlers.filter((name) => !Object.hasOwn(functionSpecs, name))).toEqual([]);
  expect(handlers.length).toBeGreaterThan(0);
});

test('every function that is deployed has a handler', () => {
  const missing = functionNames.filter(
    (name) => !existsSync(join(projectRoot, 'functions', name, 'handler.ts')),
  );
  expect(missing).toEqual([]);
});

test('every function that the bus or a schedule invokes is retried twice and then leaves the event in its queue', () => {
  const configs = dev.ofType('AWS::Lambda::EventInvokeConfig');
  expect(configs).toHaveLength(asyncFunctionNames.length);
  for (const name of asyncFunctionNames) {
    const { logicalId } = dev.function(name);
    const config = configs.find(({ properties }) => referenceOf(properties['FunctionName']) === logicalId);
    const { MaximumRetryAttempts, DestinationConfig } = config!.properties as {
      MaximumRetryAttempts: number;
      DestinationConfig: { OnFailure: { Destination: unknown } };
    };
    expect(MaximumRetryAttempts).toBe(2);
    const queue = dev.get(referenceOf(DestinationConfig.OnFailure.Destination) ?? '');
    expect(queue.properties['QueueName']).toBe(`dev-comfyui-${name}-dlq`);
  }
});

test('functions are told the address of the live stage as browsers see it', () => {
  const endpoint = environmentOf(dev.function('job-progress').properties)['WEBSOCKET_API_ENDPOINT'];
  const url = (dev.json['Outputs'] as Record<string, { Value: unknown }>)['WebSocketUrl']!.Value;
  expect(endpoint).toEqual(url);
  expect(JSON.stringify(endpoint)).toMatch(/"ApiEndpoint"\]\},"\/live"/);
});

describe('stages', () => {
  const logicalIds = (template: Template) => template.resources.map(({ logicalId }) => logicalId).sort();

  test('dev and prod are made of the same resources', () => {
    expect(logicalIds(prod)).toEqual(logicalIds(dev));
  });

  test('local is made of them too: its authorizer is told otherwise, and its page comes from elsewhere', () => {
    const ofPage = /^(Page|CustomCDKBucketDeployment)/;
    expect(logicalIds(local)).toEqual(logicalIds(full).filter((id) => !ofPage.test(id)));
  });

  test('dev and prod have pictures while sampling only when they are told to', () => {
    const ofPreviews = /^PushPreview/;
    expect(logicalIds(dev)).toEqual(logicalIds(full).filter((id) => !ofPreviews.test(id)));
    expect(logicalIds(full).filter((id) => ofPreviews.test(id))).toHaveLength(4);
    const { Value: name } = (full.json['Outputs'] as Record<string, { Value: unknown }>)[
      'PreviewFunctionName'
    ]!;
    expect(name).toEqual({ Ref: full.function('push-preview').logicalId });
    // Monitors of workers that are launched are told by whoever launches them.
    const told = [full, dev].map((each) => environmentOf(each.function('scale-workers').properties));
    expect(told.map((variables) => variables['PREVIEW_FUNCTION_NAME'])).toEqual([
      full.function('push-preview').properties['FunctionName'],
      '',
    ]);
  });

  test('only local is open to requests without credentials', () => {
    for (const [stage, template] of Object.entries(templates)) {
      for (const name of ['authorize-request', 'connect'] as const) {
        const variables = environmentOf(template.function(name).properties);
        expect(variables['OPEN_ACCESS']).toBe(String(stage === 'local'));
        expect(variables['STAGE']).toBe(stage);
      }
    }
  });

  test('a deployed stage without authentication cannot be built, whatever its configuration says', () => {
    const { app, config } = createApp({ outdir: '/nonexistent', context: { stage: 'local' } });
    const open = { ...config, stage: 'prod' as const };
    expect(() => new PipelineStack(app, 'Open', { config: open, assetRoot: '' })).toThrow('never deployed');
  });

  test('let one user run as many jobs, and workers hold as many, as they say', () => {
    const variables = [local, dev, prod].map((each) => environmentOf(each.function('dispatch').properties));
    expect(variables.map((each) => [each['MAX_RUNNING_PER_USER'], each['PREFETCH_DEPTH']])).toEqual([
      ['100', '1'],
      ['20', '1'],
      ['20', '1'],
    ]);
  });

  test('prod alone keeps its data when the stack goes', () => {
    const policyOf = (template: Template) =>
      Object.values(template.json['Resources'] as Record<string, { Type: string; DeletionPolicy?: string }>)
        .filter(({ Type }) => Type === 'AWS::S3::Bucket' || Type === 'AWS::DynamoDB::Table')
        .map(({ DeletionPolicy }) => DeletionPolicy);
    expect(policyOf(prod)).toEqual(['Retain', 'Retain', 'Retain', 'Retain', 'Retain']);
    expect(policyOf(dev)).toEqual(['Delete', 'Delete', 'Delete', 'Delete', 'Delete']);
  });
});
