/** A consumer of its own: one rule on the pipeline's bus, one queue, one line of text per finished task. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib/core';
import { EventBus, EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { PIPELINE_SOURCE, type DetailType } from '../../shared-types/index.ts';

export interface CompletedTasksQueueProps extends StackProps {
  /** Output `EventBusName` of the pipeline: `${stage}-comfyui-events`. */
  readonly eventBusName: string;
}

/** The type makes a misspelt detail-type a compile error. */
const DETAIL_TYPE: DetailType = 'Task Completed';

export class CompletedTasksQueue extends Stack {
  constructor(scope: Construct, id: string, { eventBusName, ...props }: CompletedTasksQueueProps) {
    super(scope, id, props);
    const secure = { enforceSSL: true, encryption: QueueEncryption.SQS_MANAGED };
    const deadLetters = new Queue(this, 'DeadLetters', secure);
    const queue = new Queue(this, 'Queue', {
      ...secure,
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
    });
    const text = `Task ${EventField.fromPath('$.detail.jobId')} is done: ${EventField.fromPath('$.detail.src')}`;
    new Rule(this, 'OnTaskCompleted', {
      eventBus: EventBus.fromEventBusName(this, 'Bus', eventBusName),
      eventPattern: { source: [PIPELINE_SOURCE], detailType: [DETAIL_TYPE] },
      targets: [
        new SqsQueue(queue, {
          message: RuleTargetInput.fromText(text),
          deadLetterQueue: deadLetters,
          retryAttempts: 10,
        }),
      ],
    });
    new CfnOutput(this, 'QueueUrl', { value: queue.queueUrl });
  }
}
