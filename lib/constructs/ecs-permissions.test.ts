import { describe, expect, test } from '@jest/globals';
import { App, Stack } from 'aws-cdk-lib/core';
import * as iam from 'aws-cdk-lib/aws-iam';
import { withFolder } from '../synthesized-fixture.ts';
import { grantEcsEnd, grantEcsLaunch } from './ecs-permissions.ts';

type Named = readonly Readonly<Record<string, unknown>>[];

const statementsFor = (workerPools: Named, workerProviders: Named = [], grant = grantEcsLaunch) =>
  withFolder((outdir) => {
    const stack = new Stack(new App({ outdir, analyticsReporting: false }), 'Test', {
      env: { account: '123456789012', region: 'eu-west-1' },
    });
    const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    grant(role, { workerPools, workerProviders });
    const template = stack.node.root.node
      .findAll()
      .flatMap((node) => (node instanceof iam.CfnPolicy ? [node] : []));
    const [policy] = template;
    const document =
      policy === undefined ? undefined : (stack.resolve(policy.policyDocument) as { Statement: unknown });
    return document?.Statement;
  });

const ecs = {
  name: 'gpu',
  providers: [
    { provider: 'novita', options: {} },
    {
      provider: 'ecs',
      options: {
        cluster: 'gpus',
        products: [{ taskDefinition: 'comfyui' }, { taskDefinition: 'comfyui-large:7' }],
      },
    },
  ],
};

describe('ECS', () => {
  test('nobody may touch it where no pool is of it', () => {
    expect(statementsFor([])).toBeUndefined();
    expect(
      statementsFor([{ name: 'gpu', providers: [{ provider: 'runpod', options: {} }] }]),
    ).toBeUndefined();
  });

  test('tasks of the named definitions may run in the named cluster, and in no other', () => {
    expect(JSON.stringify(statementsFor([ecs]))).toContain('task-definition/comfyui:*');
    expect(statementsFor([ecs])).toMatchObject([
      {
        Action: ['ecs:ListTasks', 'ecs:DescribeTasks', 'ecs:StopTask'],
        Condition: { ArnEquals: expect.anything() },
      },
      {
        Action: 'ecs:RunTask',
        Condition: { ArnEquals: { 'ecs:cluster': [expect.anything()] } },
        Resource: [expect.anything(), expect.anything()],
      },
      { Action: 'ecs:TagResource', Condition: { StringEquals: { 'ecs:CreateAction': 'RunTask' } } },
      {
        Action: 'iam:PassRole',
        Condition: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
      },
    ]);
  });

  test('the reaper may stop tasks in the clusters of pools that are gone, and start none anywhere', () => {
    const statements = statementsFor([ecs], [{ provider: 'ecs', cluster: 'old' }], grantEcsEnd);
    expect(statements).toMatchObject([
      {
        Action: ['ecs:ListTasks', 'ecs:DescribeTasks', 'ecs:StopTask'],
        Condition: { ArnEquals: { 'ecs:cluster': [expect.anything(), expect.anything()] } },
      },
    ]);
    expect(JSON.stringify(statements)).toContain('cluster/old');
    const launching = statementsFor([ecs], [{ provider: 'ecs', cluster: 'old' }]) as { Action: unknown }[];
    const run = JSON.stringify(launching.find(({ Action }) => Action === 'ecs:RunTask'));
    expect(run).toContain('cluster/gpus');
    expect(run).not.toContain('cluster/old');
  });
});
