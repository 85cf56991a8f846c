import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ResourceProviders, ResourceRequest } from '../contract.ts';
import { loadCloudAssembly } from './cloud-assembly.ts';
import { deployAssembly } from './deploy-assembly.ts';

const place = { region: 'eu-west-1', accountId: '111122223333' };
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

interface StackInput {
  readonly template: object;
  readonly dependencies?: readonly string[];
  readonly stackName?: string;
}

async function writeAssembly(
  stacks: Record<string, StackInput>,
  extra: Record<string, object> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'assembly-test-'));
  folders.push(folder);
  const artifacts: Record<string, object> = { ...extra };
  for (const [id, { template, dependencies = [], stackName }] of Object.entries(stacks)) {
    await writeFile(join(folder, `${id}.template.json`), JSON.stringify(template));
    const properties = { templateFile: `${id}.template.json`, ...(stackName ? { stackName } : {}) };
    artifacts[id] = { type: 'aws:cloudformation:stack', dependencies, properties };
  }
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ version: '48.0.0', artifacts }));
  return folder;
}

/** A provider for `Test::Thing` that remembers what it was asked for. */
function recorder(): { providers: ResourceProviders; requests: ResourceRequest[] } {
  const requests: ResourceRequest[] = [];
  const provider = (request: ResourceRequest) => {
    requests.push(request);
    return Promise.resolve({
      ref: `ref-${request.logicalId}`,
      attributes: { Arn: `arn:${request.logicalId}`, 'A.B': 'nested' },
    });
  };
  return { providers: { 'Test::Thing': provider }, requests };
}

async function deploy(stacks: Record<string, StackInput>) {
  const { providers, requests } = recorder();
  const assembly = await loadCloudAssembly(await writeAssembly(stacks));
  const deployment = await deployAssembly(assembly, { place, providers, log: () => undefined });
  return { ...deployment, requests };
}

/** What the properties of one resource resolve to, another one (`Other`) standing beside it. */
async function resolved(value: unknown, rest: object = {}): Promise<unknown> {
  const template = {
    ...rest,
    Resources: {
      Subject: { Type: 'Test::Thing', Properties: { value } },
      Other: { Type: 'Test::Thing', Properties: {} },
    },
  };
  const { requests } = await deploy({ Shop: { template } });
  return requests.find(({ logicalId }) => logicalId === 'Subject')?.properties['value'];
}

describe('an intrinsic function', () => {
  const conditions = {
    Parameters: { Stage: { Type: 'String', Default: 'prod' } },
    Conditions: {
      IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
      IsTest: { 'Fn::Not': [{ Condition: 'IsProd' }] },
      Both: { 'Fn::And': [{ Condition: 'IsProd' }, { Condition: 'IsTest' }] },
      Either: { 'Fn::Or': [{ Condition: 'IsProd' }, { Condition: 'IsTest' }] },
    },
    Mappings: { Sizes: { 'eu-west-1': { disk: 'large' } } },
  };

  test.each<[unknown, unknown]>([
    [{ Ref: 'Other' }, 'ref-Other'],
    [{ Ref: 'Stage' }, 'prod'],
    [{ Ref: 'AWS::Region' }, 'eu-west-1'],
    [{ Ref: 'AWS::AccountId' }, '111122223333'],
    [{ Ref: 'AWS::StackName' }, 'Shop'],
    [{ Ref: 'AWS::URLSuffix' }, 'amazonaws.com'],
    [{ 'Fn::GetAtt': ['Other', 'Arn'] }, 'arn:Other'],
    [{ 'Fn::GetAtt': ['Other', 'A.B'] }, 'nested'],
    [{ 'Fn::GetAtt': 'Other.Arn' }, 'arn:Other'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'Other' }, 1]] }, 'a-ref-Other-1'],
    [{ 'Fn::Join': [',', { 'Fn::Split': ['/', 'a/b'] }] }, 'a,b'],
    [{ 'Fn::Sub': '${Other}/${Other.Arn}/${AWS::Region}/${!Kept}' }, 'ref-Other/arn:Other/eu-west-1/${Kept}'],
    [{ 'Fn::Sub': ['${Local}:${Other}', { Local: { Ref: 'AWS::Partition' } }] }, 'aws:ref-Other'],
    [{ 'Fn::Select': ['1', { 'Fn::Split': [':', { 'Fn::GetAtt': ['Other', 'Arn'] }] }] }, 'Other'],
    [{ 'Fn::FindInMap': ['Sizes', { Ref: 'AWS::Region' }, 'disk'] }, 'large'],
    [{ 'Fn::If': ['IsProd', { Ref: 'Other' }, 'none'] }, 'ref-Other'],
    [{ 'Fn::If': ['Both', { Ref: 'NotThere' }, 'safe'] }, 'safe'],
    [{ 'Fn::If': ['Either', 1, 2] }, 1],
    [{ 'Fn::Base64': 'zażółć' }, Buffer.from('zażółć').toString('base64')],
    [{ 'Fn::GetAZs': '' }, ['eu-west-1a', 'eu-west-1b', 'eu-west-1c']],
    [
      ['a', { Ref: 'AWS::NoValue' }, 'b'],
      ['a', 'b'],
    ],
    [
      { gone: { 'Fn::If': ['IsTest', 'x', { Ref: 'AWS::NoValue' }] }, kept: { deep: [{ Ref: 'Other' }] } },
      { kept: { deep: ['ref-Other'] } },
    ],
    [
      { Ref: 'Other', beside: 'it' },
      { Ref: 'Other', beside: 'it' },
    ],
  ])('%j resolves to %j', async (value, expected) => {
    expect(await resolved(value, conditions)).toEqual(expected);
  });

  test.each<[unknown, RegExp]>([
    [{ Ref: 'Nobody' }, /Ref Nobody/],
    [{ 'Fn::GetAtt': ['Other', 'Colour'] }, /Other\.Colour.*only has Arn/],
    [{ 'Fn::Cidr': ['10.0.0.0/16', 1, 8] }, /Fn::Cidr is not supported/],
    [{ 'Fn::Select': [7, ['a']] }, /finds no item 7/],
    [{ 'Fn::Join': 'a' }, /Fn::Join/],
    [{ 'Fn::Sub': 7 }, /Fn::Sub/],
    [{ 'Fn::ImportValue': 'elsewhere' }, /Fn::ImportValue elsewhere/],
    [{ 'Fn::If': ['Unknown', 1, 2] }, /condition Unknown/],
    ['{{resolve:ssm:/password}}', /dynamic reference/],
  ])('%j is refused, saying why', async (value, message) => {
    await expect(resolved(value, conditions)).rejects.toThrow(message);
  });
});

describe('an assembly', () => {
  test('creates each resource after what it refers to or depends on', async () => {
    const template = {
      Resources: {
        Last: { Type: 'Test::Thing', Properties: { of: { 'Fn::Sub': '${Middle.Arn}' } } },
        Middle: { Type: 'Test::Thing', DependsOn: 'First' },
        First: { Type: 'Test::Thing' },
      },
    };
    const { resources } = await deploy({ Shop: { template } });
    expect(resources.map(({ logicalId }) => logicalId)).toEqual(['First', 'Middle', 'Last']);
  });

  test('names the ids of a cycle', async () => {
    const template = {
      Resources: {
        A: { Type: 'Test::Thing', Properties: { x: { Ref: 'B' } } },
        B: { Type: 'Test::Thing', DependsOn: ['A'] },
      },
    };
    await expect(deploy({ Shop: { template } })).rejects.toThrow(
      'Shop: resources depend on each other: A -> B -> A',
    );
  });

  test('leaves out what its condition excludes', async () => {
    const template = {
      Conditions: { Never: { 'Fn::Equals': ['a', 'b'] } },
      Resources: {
        Gone: { Type: 'Unknown::Type', Condition: 'Never' },
        Kept: { Type: 'Test::Thing', DependsOn: 'Gone' },
      },
      Outputs: { Gone: { Value: { Ref: 'Gone' }, Condition: 'Never' } },
    };
    const { resources, outputs } = await deploy({ Shop: { template } });
    expect(resources.map(({ logicalId }) => logicalId)).toEqual(['Kept']);
    expect(outputs).toEqual({ Shop: {} });
  });

  test('hands values from stack to stack, in the order of their dependencies', async () => {
    const consumer = {
      Resources: { User: { Type: 'Test::Thing', Properties: { bus: { 'Fn::ImportValue': 'Shop:Bus' } } } },
      Outputs: { Joined: { Value: { 'Fn::Join': ['', ['bus ', { 'Fn::ImportValue': 'Shop:Bus' }]] } } },
    };
    const producer = {
      Resources: { Bus: { Type: 'Test::Thing' } },
      Outputs: {
        Export: {
          Value: { 'Fn::GetAtt': ['Bus', 'Arn'] },
          Export: { Name: { 'Fn::Sub': '${AWS::StackName}:Bus' } },
        },
      },
    };
    const { outputs, requests } = await deploy({
      Consumer: { template: consumer, dependencies: ['Producer'] },
      Producer: { template: producer, stackName: 'Shop' },
    });
    expect(requests.at(-1)?.properties).toEqual({ bus: 'arn:Bus' });
    expect(outputs).toEqual({ Shop: { Export: 'arn:Bus' }, Consumer: { Joined: 'bus arn:Bus' } });
  });

  test('names every type that nobody provides, of all stacks, before anything is created', async () => {
    const { providers, requests } = recorder();
    const one = { Resources: { Thing: { Type: 'Test::Thing' }, Stream: { Type: 'AWS::Kinesis::Stream' } } };
    const two = { Resources: { Topic: { Type: 'AWS::SNS::Topic' } } };
    const assembly = await loadCloudAssembly(
      await writeAssembly({ One: { template: one }, Two: { template: two } }),
    );
    await expect(deployAssembly(assembly, { place, providers, log: () => undefined })).rejects.toThrow(
      /One\/Stream \(AWS::Kinesis::Stream\), Two\/Topic \(AWS::SNS::Topic\)/,
    );
    expect(requests).toEqual([]);
  });

  test('answers Ref and Arn of roles and their like, whatever else their properties hold', async () => {
    const template = {
      Resources: {
        Role: { Type: 'AWS::IAM::Role', Properties: { Path: '{{resolve:ssm:/path}}' } },
        Named: { Type: 'AWS::IAM::Role', Properties: { RoleName: { 'Fn::Sub': '${AWS::StackName}-role' } } },
        Alarm: { Type: 'AWS::CloudWatch::Alarm', Properties: {} },
        Metadata: { Type: 'AWS::CDK::Metadata' },
      },
      Outputs: {
        Role: { Value: { 'Fn::GetAtt': ['Role', 'Arn'] } },
        Named: { Value: { 'Fn::Join': [' ', [{ Ref: 'Named' }, { 'Fn::GetAtt': ['Named', 'Arn'] }]] } },
      },
    };
    const { outputs } = await deploy({ Shop: { template } });
    expect(outputs['Shop']?.['Role']).toMatch(/^arn:aws:iam::111122223333:role\/Shop-Role-[0-9A-F]{12}$/);
    expect(outputs['Shop']?.['Named']).toBe('Shop-role arn:aws:iam::111122223333:role/Shop-role');
  });

  test('skips the bootstrap version that CDK adds', async () => {
    const template = {
      Parameters: {
        BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/v' },
      },
      Rules: {
        CheckBootstrapVersion: {
          Assertions: [{ Assert: { 'Fn::Not': [{ 'Fn::Contains': [['1'], { Ref: 'BootstrapVersion' }] }] } }],
        },
      },
      Resources: { Thing: { Type: 'Test::Thing' } },
    };
    expect((await deploy({ Shop: { template } })).resources).toHaveLength(1);
  });

  test('tells stack, id and type of a resource whose provider fails', async () => {
    const assembly = await loadCloudAssembly(
      await writeAssembly({ Shop: { template: { Resources: { Bad: { Type: 'Test::Thing' } } } } }),
    );
    const providers = { 'Test::Thing': () => Promise.reject(new Error('disk full')) };
    await expect(deployAssembly(assembly, { place, providers, log: () => undefined })).rejects.toMatchObject({
      code: 'CreationFailed',
      message: 'Shop/Bad (Test::Thing): disk full',
    });
  });

  test('knows its file assets by object key, those of a stage included', async () => {
    const stage = 'assembly-Stage';
    const folder = await writeAssembly(
      {},
      { [stage]: { type: 'cdk:cloud-assembly', properties: { directoryName: stage } } },
    );
    await mkdir(join(folder, stage));
    const manifest = {
      artifacts: { Assets: { type: 'cdk:asset-manifest', properties: { file: 'a.assets.json' } } },
    };
    await writeFile(join(folder, stage, 'manifest.json'), JSON.stringify(manifest));
    const destinations = { 'current_account-current_region': { bucketName: 'b', objectKey: 'abc.zip' } };
    const files = { abc: { source: { path: '../asset.abc', packaging: 'zip' }, destinations } };
    await writeFile(join(folder, stage, 'a.assets.json'), JSON.stringify({ files }));
    expect((await loadCloudAssembly(folder)).assets).toEqual(
      new Map([['abc.zip', join(folder, 'asset.abc')]]),
    );
  });

  test.each([
    ['no manifest', async () => await mkdtemp(join(tmpdir(), 'assembly-test-'))],
    [
      'a manifest that is no JSON',
      async () => {
        const folder = await writeAssembly({});
        await writeFile(join(folder, 'manifest.json'), '{"artifacts":');
        return folder;
      },
    ],
    [
      'a template of the wrong shape',
      () => writeAssembly({ Shop: { template: { Resources: { A: { Type: 7 } } } } }),
    ],
  ])('with %s is refused in one line', async (_, write) => {
    const folder = await write();
    folders.push(folder);
    const error = await loadCloudAssembly(folder).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'InvalidAssembly' });
    expect(String(error)).not.toContain('\n');
  });
});
