import { RemovalPolicy } from 'aws-cdk-lib/core';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { StageConfig } from '../stage-config.ts';

const text = (name: string): dynamodb.Attribute => ({ name, type: dynamodb.AttributeType.STRING });

/**
 * Over jobs alone, since no other item has their keys. They carry just what a list filters by: the tasks of a page are
 * read from the table. Names and keys are those that `functions/adapters/dynamodb/table.ts` explains.
 */
const indexes: readonly dynamodb.GlobalSecondaryIndexProps[] = [
  {
    indexName: 'by-user',
    partitionKey: text('userId'),
    sortKey: text('createdKey'),
    projectionType: dynamodb.ProjectionType.INCLUDE,
    nonKeyAttributes: ['jobId', 'status', 'workflowId'],
  },
  {
    indexName: 'by-due',
    partitionKey: text('due'),
    sortKey: text('dueAt'),
    projectionType: dynamodb.ProjectionType.INCLUDE,
    nonKeyAttributes: ['jobId'],
  },
];

/** Jobs, queue, shares, workers, connections and outputs: one table, one key schema, one consistent read. */
export class PipelineTable extends Construct {
  readonly table: dynamodb.Table;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id);
    this.table = new dynamodb.Table(this, 'Table', {
      tableName: `${config.stage}-comfyui-pipeline`,
      partitionKey: text('pk'),
      sortKey: text('sk'),
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
        recoveryPeriodInDays: config.pointInTimeRecoveryDays,
      },
      timeToLiveAttribute: 'expiresAt',
      deletionProtection: config.deletionProtection,
      removalPolicy: config.removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    for (const index of indexes) this.table.addGlobalSecondaryIndex(index);
  }
}
