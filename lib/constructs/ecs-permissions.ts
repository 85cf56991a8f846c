import { Stack } from 'aws-cdk-lib/core';
import * as iam from 'aws-cdk-lib/aws-iam';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { StageSettings } from '../stage-settings.ts';

type Pools = StageSettings['workerPools'];

interface EcsUse {
  readonly clusters: readonly string[];
  readonly taskDefinitions: readonly string[];
}

const recordsOf = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value)
    ? value.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
    : [];

const textsOf = (values: readonly unknown[]): readonly string[] => [
  ...new Set(values.filter((value): value is string => typeof value === 'string')),
];

/** What the pools name of ECS; the pools themselves are checked by the functions that read them. */
const ecsUseOf = (pools: Pools): EcsUse => {
  const entries = pools
    .flatMap(({ providers }) => recordsOf(providers))
    .filter((one) => one['provider'] === 'ecs');
  const options = recordsOf(entries.map((entry) => entry['options']));
  const products = options.flatMap((one) => recordsOf(one['products']));
  return {
    clusters: textsOf(options.map(({ cluster }) => cluster)),
    taskDefinitions: textsOf(products.map(({ taskDefinition }) => taskDefinition)),
  };
};

/**
 * Lets a function run, see and stop tasks in the clusters that the pools name, of the task definitions that they name,
 * and pass the roles of those tasks to ECS and to nobody else. Nothing where no pool is of ECS.
 * (docs.aws.amazon.com/service-authorization, "Actions, resources, and condition keys for Amazon ECS")
 */
export const grantEcs = (role: iam.Role, pools: Pools): void => {
  const { clusters, taskDefinitions } = ecsUseOf(pools);
  if (clusters.length === 0) return;
  const arnOf = (resource: string, name: string): string =>
    name.startsWith('arn:')
      ? name
      : Stack.of(role).formatArn({ service: 'ecs', resource, resourceName: name });
  // A family without a revision means its newest one.
  const definitions = taskDefinitions.map((name) =>
    arnOf('task-definition', /:\d+$/.test(name) ? name : `${name}:*`),
  );
  const inClusters = { ArnEquals: { 'ecs:cluster': clusters.map((name) => arnOf('cluster', name)) } };
  const statements = [
    { actions: ['ecs:RunTask'], resources: definitions, conditions: inClusters },
    {
      actions: ['ecs:ListTasks', 'ecs:DescribeTasks', 'ecs:StopTask'],
      resources: ['*'],
      conditions: inClusters,
    },
    {
      actions: ['ecs:TagResource'],
      resources: ['*'],
      conditions: { StringEquals: { 'ecs:CreateAction': 'RunTask' } },
    },
    {
      actions: ['iam:PassRole'],
      resources: ['*'],
      conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    },
  ];
  for (const statement of statements) role.addToPolicy(new iam.PolicyStatement(statement));
  acknowledge(
    role,
    'AwsSolutions-IAM5[Resource::*]',
    'Tasks have ids that ECS gives; the clusters are pinned. Tags only as tasks start, roles only to ECS tasks.',
  );
  for (const definition of definitions.filter((arn) => arn.endsWith(':*'))) {
    acknowledgeWildcard(
      role,
      definition,
      'The pool names a family without a revision: its newest one is meant.',
    );
  }
};
