import { describe, expect, test } from '@jest/globals';
import { functionNames, functionSpecs, type FunctionName } from './function-specs.ts';
import { statementsIn, Template, type Statement } from './synthesized-fixture.ts';

// With everything that a stage can have.
const template = new Template('dev', { previews: 'true' });
const policies = [
  'AWS::IAM::Policy',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Role',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::Events::EventBusPolicy',
].flatMap((type) => template.ofType(type));
const allowed = policies.flatMap(statementsIn).filter(({ effect }) => effect === 'Allow');
const actionsOf = (statements: readonly Statement[]): readonly string[] =>
  statements.flatMap(({ actions }) => actions);
const holdersOf = (action: string) =>
  functionNames.filter((name) => actionsOf(template.statementsOf(name)).includes(action));

/** Wildcards that stand for ids which exist only while the system runs. */
const openEnded =
  /("MediaBucket\w+"|"WorkflowsBucket\w+"|"UploadsBucket\w+"|"PageFilesBucket\w+"),"Arn"\]\},"\/\*"|\/live\/POST\/@connections\/\*/;

test('every policy of the stack was looked at', () => {
  const unknown = template.resources.filter(
    ({ type, properties }) =>
      Object.keys(properties).some((key) => /^(.*PolicyDocument|(Resource)?Policy|Policies)$/.test(key)) &&
      !policies.some((p) => p.type === type),
  );
  expect(unknown.map(({ logicalId }) => logicalId)).toEqual([]);
  expect(allowed.length).toBeGreaterThan(functionNames.length);
});

test('no statement allows an action by wildcard', () => {
  const names = actionsOf(allowed);
  expect(names.filter((action) => !/^[a-z0-9-]+:[A-Za-z]+$/.test(action))).toEqual([]);
});

test('no statement allows every resource, nor a wildcard where the name is known', () => {
  const texts = allowed.flatMap(({ resources }) => resources).map((resource) => JSON.stringify(resource));
  expect(texts.filter((text) => text.includes('*') && !openEnded.test(text))).toEqual([]);
  expect(texts.some((text) => text.includes('*'))).toBe(true);
});

test('no principal is everybody', () => {
  const principals = allowed.map(({ principal }) => JSON.stringify(principal ?? null));
  expect(principals.filter((principal) => principal.includes('*'))).toEqual([]);
});

test('no role carries a managed policy, and each belongs to one function', () => {
  const roles = template.ofType('AWS::IAM::Role');
  expect(roles).toHaveLength(template.ofType('AWS::Lambda::Function').length);
  expect(roles.filter(({ properties }) => properties['ManagedPolicyArns'] !== undefined)).toEqual([]);
});

describe.each(functionNames)('%s', (name) => {
  test('writes to its own log group only', () => {
    const logs = template
      .statementsOf(name)
      .filter(({ actions }) => actions.some((action) => action.startsWith('logs:')));
    expect(logs).toHaveLength(1);
    const text = JSON.stringify(logs[0]!.resources);
    const [, group] = /"Fn::GetAtt":\["(\w+)","Arn"\]/.exec(text) ?? [];
    expect(template.get(group ?? '').properties['LogGroupName']).toBe(`/aws/lambda/dev-comfyui-${name}`);
  });
});

describe('who may', () => {
  test.each<[string, readonly FunctionName[]]>([
    ['s3:PutObject', ['job-completion', 'monitor-init', 'submit-task', 'create-file']],
    ['s3:GetObject', ['job-completion', 'dispatch', 'get-task', 'submit-task', 'scale-workers']],
    ['s3:DeleteObject', []],
    ['dynamodb:Scan', []],
    [
      'events:PutEvents',
      [
        'job-completion',
        'job-failure',
        'dispatch',
        'submit-task',
        'change-task',
        'control-queue',
        'manage-workers',
      ],
    ],
    ['secretsmanager:GetSecretValue', []],
  ])('%s', (action, expected) => {
    expect([...holdersOf(action)].sort()).toEqual([...expected].sort());
  });

  test.each(['task-metrics', 'api-reference'] as const)('%s touches no data at all', (name) => {
    const others = actionsOf(template.statementsOf(name)).filter((action) => !/^(logs|sqs):/.test(action));
    expect(others).toEqual([]);
  });

  test('query an index: just who needs it, just that index, and nothing but a query', () => {
    const grants = functionNames.flatMap((name) =>
      template
        .statementsOf(name)
        .filter(({ resources }) => JSON.stringify(resources).includes('/index/'))
        .map(({ actions, resources }) => [
          name,
          actions,
          /\/index\/([^"]+)/.exec(JSON.stringify(resources))?.[1],
        ]),
    );
    const expected = functionNames.flatMap((name) =>
      (functionSpecs[name].indexes ?? []).map((index) => [name, ['dynamodb:Query'], index]),
    );
    expect(grants).toEqual(expected);
    expect(expected).toContainEqual(['list-tasks', ['dynamodb:Query'], 'by-user']);
  });
});

test('the keys of providers are read by who scales workers, and no secret but the one that was named', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:comfyui/providers-AbCdEf';
  const named = new Template('dev', { providerSecretArn: arn, previews: 'true' });
  for (const name of functionNames) {
    const readable = named
      .statementsOf(name)
      .filter(({ actions }) => actions.some((action) => action.startsWith('secretsmanager:')));
    const expected = functionSpecs[name].readsProviderSecret
      ? [{ actions: ['secretsmanager:GetSecretValue'], resources: [arn] }]
      : [];
    expect(readable).toMatchObject(expected);
    expect(readable).toHaveLength(expected.length);
  }
});

test('monitors may invoke the function that takes previews and no other, where there is one', () => {
  const invoking = (each: Template) =>
    each
      .ofType('AWS::IAM::ManagedPolicy')
      .flatMap(statementsIn)
      .filter(({ actions }) => actions.includes('lambda:InvokeFunction'));
  const { logicalId } = template.function('push-preview');
  expect(invoking(template)).toMatchObject([
    {
      effect: 'Allow',
      actions: ['lambda:InvokeFunction'],
      resources: [{ 'Fn::GetAtt': [logicalId, 'Arn'] }],
    },
  ]);
  expect(invoking(new Template('dev'))).toEqual([]);
});

describe('publishing', () => {
  const publish = allowed.filter(({ actions }) => actions.includes('events:PutEvents'));

  test('is allowed to functions as the pipeline and to pods as their own worker, on this bus', () => {
    const sources = publish.map(({ condition }) => JSON.stringify(condition ?? null));
    expect([...new Set(sources)].sort()).toEqual([
      'null',
      '{"StringEquals":{"events:source":"comfyui.monitor.${aws:PrincipalTag/workerId}"}}',
      '{"StringEquals":{"events:source":"comfyui.pipeline"}}',
    ]);
    const [bus] = template.ofType('AWS::Events::EventBus');
    for (const { resources } of publish) expect(JSON.stringify(resources)).toContain(`"${bus!.logicalId}"`);
  });

  test('without a pinned source is only the door of the bus, open to this account', () => {
    const [door, ...others] = publish.filter(({ condition }) => condition === undefined);
    expect(others).toEqual([]);
    expect(JSON.stringify(door!.principal)).toMatch(/\{"Ref":"AWS::AccountId"\},":root"/);
  });
});
