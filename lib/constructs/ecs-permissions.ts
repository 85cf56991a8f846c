import { Stack } from 'aws-cdk-lib/core';
import * as iam from 'aws-cdk-lib/aws-iam';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { StageSettings } from '../stage-settings.ts';

type Workers = Pick<StageSettings, 'workerPools' | 'workerProviders'>;

interface EcsUse {
  /** Where tasks may be. */
  readonly clusters: readonly string[];
  /** Where they are started. */
  readonly poolClusters: readonly string[];
  readonly taskDefinitions: readonly string[];
}

const recordsOf = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value)
    ? value.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null)
    : [];

const textsOf = (values: readonly unknown[]): readonly string[] => [
  ...new Set(values.filter((value): value is string => typeof value === 'string')),
];

/** What pools and providers name of ECS; whether they read is looked at elsewhere. */
const ecsUseOf = ({ workerPools, workerProviders }: Workers): EcsUse => {
  const isEcs = (one: Readonly<Record<string, unknown>>): boolean => one['provider'] === 'ecs';
  const entries = workerPools.flatMap(({ providers }) => recordsOf(providers)).filter(isEcs);
  const options = recordsOf(entries.map((entry) => entry['options']));
  const products = options.flatMap((one) => recordsOf(one['products']));
  return {
    clusters: textsOf([...options, ...workerProviders.filter(isEcs)].map(({ cluster }) => cluster)),
    poolClusters: textsOf(options.map(({ cluster }) => cluster)),
    taskDefinitions: textsOf(products.map(({ taskDefinition }) => taskDefinition)),
  };
};

const arnOf = (role: iam.Role, resource: string, name: string): string =>
  name.startsWith('arn:') ? name : Stack.of(role).formatArn({ service: 'ecs', resource, resourceName: name });

const inClusters = (role: iam.Role, clusters: readonly string[]) => ({
  ArnEquals: { 'ecs:cluster': clusters.map((name) => arnOf(role, 'cluster', name)) },
});

/**
 * Lets a function see and stop tasks in the clusters that pools and providers name, and start none. Nothing where
 * nothing is of ECS.
 * (docs.aws.amazon.com/service-authorization, "Actions, resources, and condition keys for Amazon ECS")
 */
export const grantEcsEnd = (role: iam.Role, workers: Workers): void => {
  const { clusters } = ecsUseOf(workers);
  if (clusters.length === 0) return;
  role.addToPolicy(
    new iam.PolicyStatement({
      actions: ['ecs:ListTasks', 'ecs:DescribeTasks', 'ecs:StopTask'],
      resources: ['*'],
      conditions: inClusters(role, clusters),
    }),
  );
  acknowledge(
    role,
    'AwsSolutions-IAM5[Resource::*]',
    'Tasks have ids that ECS gives; the clusters are pinned. Tags only as tasks start, roles only to ECS tasks.',
  );
};

/**
 * Besides, lets it run tasks of the task definitions that the pools name, and pass the roles of those tasks to ECS and
 * to nobody else. Nothing where no pool is of ECS.
 */
export const grantEcsLaunch = (role: iam.Role, workers: Workers): void => {
  const { poolClusters, taskDefinitions } = ecsUseOf(workers);
  grantEcsEnd(role, workers);
  if (taskDefinitions.length === 0) return;
  // A family without a revision means its newest one.
  const definitions = taskDefinitions.map((name) =>
    arnOf(role, 'task-definition', /:\d+$/.test(name) ? name : `${name}:*`),
  );
  const statements = [
    { actions: ['ecs:RunTask'], resources: definitions, conditions: inClusters(role, poolClusters) },
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
  for (const definition of definitions.filter((arn) => arn.endsWith(':*'))) {
    acknowledgeWildcard(
      role,
      definition,
      'The pool names a family without a revision: its newest one is meant.',
    );
  }
};
