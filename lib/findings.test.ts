import { describe, expect, jest, test } from '@jest/globals';
import { CfnResource, CloudFormationValidatePlugin } from 'aws-cdk-lib/core';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { App, Stack } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { withApp } from './synthesized-fixture.ts';

// The schemas of all of CloudFormation are loaded: seconds alone, many of them on a machine that is busy.
jest.setTimeout(120_000);

const findingsIn = (app: App): readonly string[] =>
  new AwsSolutionsChecks()
    .validateScope(app)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    );

/** What CDK would ask at every synthesis of a default app: is each property one that CloudFormation knows? */
const schemaErrorsIn = (app: App): readonly string[] => {
  const templatePaths = app.synth().stacks.map(({ templateFullPath }) => templateFullPath);
  const stackTemplates = templatePaths.map((templatePath) => ({
    templatePath,
    stackConstructPath: 'Pipeline',
    accountId: undefined,
    region: undefined,
  }));
  const { violations } = new CloudFormationValidatePlugin().validate({
    templatePaths,
    stackTemplates,
    appConstruct: app,
  });
  return violations.map(({ ruleName, description, violatingResources }) =>
    [ruleName, description, ...violatingResources.map((r) => r.resourceLogicalId)].join(' '),
  );
};

describe.each(['local', 'dev', 'prod'] as const)('stage %s', (stage) => {
  test('has no cdk-nag finding that nobody acknowledged', () => {
    expect(withApp(stage, findingsIn)).toEqual([]);
    expect(withApp(stage, findingsIn, { previews: 'true' })).toEqual([]);
  });
});

describe('the schemas of CloudFormation', () => {
  test('know every property that is set', () => {
    expect(withApp('prod', schemaErrorsIn)).toEqual([]);
  });

  test('catch a property that does not exist', () => {
    const errors = withApp('prod', (app) => {
      const stack = app.node.findChild('Pipeline') as Stack;
      const properties = { QueueName: 'careless', Colour: 'green' };
      const queue = new CfnResource(stack, 'Careless', { type: 'AWS::SQS::Queue', properties });
      return schemaErrorsIn(app).filter((error) => error.includes(stack.getLogicalId(queue)));
    });
    expect(errors.join()).toContain('Colour');
  });
});

test('a bucket that someone adds carelessly is found: acknowledgements hold for one construct each', () => {
  const findings = withApp('prod', (app) => {
    const bucket = new Bucket(app.node.findChild('Pipeline'), 'Careless');
    return findingsIn(app).filter((finding) => finding.includes(bucket.node.path));
  });
  expect(findings).toContain('AwsSolutions-S10 at Pipeline/Careless/Resource');
  expect(findings).toContain('AwsSolutions-S1 at Pipeline/Careless/Resource');
});
