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

/** A construct that somebody adds without thinking, beside all those that are acknowledged. */
const CARELESS = 'Careless';

describe('cdk-nag', () => {
  test.each(['local', 'dev'] as const)('has no finding in stage %s that nobody acknowledged', (stage) => {
    expect(withApp(stage, findingsIn)).toEqual([]);
  });

  test('has none in stage prod, even with previews', () => {
    expect(withApp('prod', findingsIn, { previews: 'true' })).toEqual([]);
  });

  test('finds a careless bucket, and nothing else: acknowledgements hold for one construct each', () => {
    const findings = withApp('prod', (app) => {
      new Bucket(app.node.findChild('Pipeline'), CARELESS);
      return findingsIn(app);
    });
    expect(findings).toContain(`AwsSolutions-S10 at Pipeline/${CARELESS}/Resource`);
    expect(findings).toContain(`AwsSolutions-S1 at Pipeline/${CARELESS}/Resource`);
    expect(findings.filter((finding) => !finding.includes(`Pipeline/${CARELESS}/`))).toEqual([]);
  });
});

test('the schemas of CloudFormation know every property that is set, and catch one that does not exist', () => {
  const [errors, added] = withApp('prod', (app) => {
    const stack = app.node.findChild('Pipeline') as Stack;
    const properties = { QueueName: 'careless', Colour: 'green' };
    const queue = new CfnResource(stack, CARELESS, { type: 'AWS::SQS::Queue', properties });
    return [schemaErrorsIn(app), stack.getLogicalId(queue)] as const;
  });
  expect(errors.filter((error) => !error.includes(added))).toEqual([]);
  expect(errors.join()).toContain('Colour');
});
