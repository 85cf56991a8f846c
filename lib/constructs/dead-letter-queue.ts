import { Duration } from 'aws-cdk-lib/core';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';

export interface DeadLetterQueueProps {
  readonly stage: string;
  /** Function whose events end here. */
  readonly consumer: string;
}

/** Where the events of one consumer go when every retry failed, and the alarm that says so. */
export class DeadLetterQueue extends Construct {
  readonly queue: sqs.Queue;

  constructor(scope: Construct, id: string, { stage, consumer }: DeadLetterQueueProps) {
    super(scope, id);
    this.queue = new sqs.Queue(this, 'Queue', {
      queueName: `${stage}-comfyui-${consumer}-dlq`,
      retentionPeriod: Duration.days(14),
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
    acknowledge(this.queue, 'AwsSolutions-SQS3', 'This queue is itself the dead-letter queue of a function.');
    new cloudwatch.Alarm(this, 'Alarm', {
      alarmName: `${stage}-comfyui-${consumer}-dead-letters`,
      alarmDescription: `Events that ${consumer} could not handle wait in ${stage}-comfyui-${consumer}-dlq`,
      metric: this.queue.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: 'Maximum',
      }),
      threshold: 0,
      evaluationPeriods: 1,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
  }
}
