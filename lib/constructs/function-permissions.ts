import { Stack } from 'aws-cdk-lib/core';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { PIPELINE_SOURCE } from '../../shared-types/event-catalogue.ts';
import { acknowledgeWildcard } from '../acknowledge.ts';
import { functionSpecs } from '../function-specs.ts';
import type { StageSettings } from '../stage-settings.ts';
import { grantEcsEnd, grantEcsLaunch } from './ecs-permissions.ts';
import type { LiveApi } from './live-api.ts';
import type { PipelineFunction } from './pipeline-function.ts';

/** The resources that functions may be allowed to touch. */
export interface PermissionTargets {
  readonly table: Table;
  readonly mediaBucket: Bucket;
  readonly workflowBucket: Bucket;
  readonly uploadBucket: Bucket;
  /** Secrets Manager ARN of the providers' keys; empty when the stage has none. */
  readonly providerSecretArn: string;
  readonly workerPools: StageSettings['workerPools'];
  readonly workerProviders: StageSettings['workerProviders'];
  readonly bus: EventBus;
  readonly liveApi: LiveApi;
}

/** Gives a function's role what its specification says, and no more. */
export const grantPermissions = (target: PipelineFunction, resources: PermissionTargets): void => {
  const spec = functionSpecs[target.name];
  const { tableActions, indexes = [], mediaActions, workflowActions, uploadActions } = spec;
  const { tableArn } = resources.table;
  if (tableActions.length > 0) allow(target, 'dynamodb', tableActions, tableArn);
  for (const index of indexes) allow(target, 'dynamodb', ['Query'], `${tableArn}/index/${index}`);
  if (mediaActions) grantObjects(target, mediaActions, resources.mediaBucket);
  if (workflowActions) grantObjects(target, workflowActions, resources.workflowBucket);
  if (uploadActions) grantObjects(target, uploadActions, resources.uploadBucket);
  if (spec.readsProviderSecret && resources.providerSecretArn !== '') {
    allow(target, 'secretsmanager', ['GetSecretValue'], resources.providerSecretArn);
  }
  if (spec.launchesWorkers) grantEcsLaunch(target.role, resources);
  if (spec.endsWorkers) grantEcsEnd(target.role, resources);
  if (spec.publishes) grantPublish(target, resources.bus);
  if (spec.pushes) grantPush(target, resources.liveApi);
};

const allow = (target: PipelineFunction, service: string, actions: readonly string[], arn: string): void => {
  target.role.addToPolicy(
    new iam.PolicyStatement({ actions: actions.map((action) => `${service}:${action}`), resources: [arn] }),
  );
};

const grantObjects = (target: PipelineFunction, actions: readonly string[], bucket: Bucket): void => {
  const objects = bucket.arnForObjects('*');
  allow(target, 's3', actions, objects);
  acknowledgeWildcard(target.role, objects, 'Object keys hold ids that are only known when a job exists.');
  // Without it S3 answers a missing key with 403, which can't be told from a missing permission.
  if (actions.includes('GetObject')) allow(target, 's3', ['ListBucket'], bucket.bucketArn);
};

/** The source is pinned, so that a function can't speak for a monitor. */
const grantPublish = (target: PipelineFunction, bus: EventBus): void => {
  target.role.addToPolicy(
    new iam.PolicyStatement({
      actions: ['events:PutEvents'],
      resources: [bus.eventBusArn],
      conditions: { StringEquals: { 'events:source': PIPELINE_SOURCE } },
    }),
  );
};

const grantPush = (target: PipelineFunction, liveApi: LiveApi): void => {
  const connections = Stack.of(target).formatArn({
    service: 'execute-api',
    resource: liveApi.apiId,
    resourceName: `${liveApi.stageName}/POST/@connections/*`,
  });
  allow(target, 'execute-api', ['ManageConnections'], connections);
  acknowledgeWildcard(
    target.role,
    connections,
    'Connection ids are given out by API Gateway while it runs; API, stage and method are pinned.',
  );
};
