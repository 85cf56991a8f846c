import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { App, Stack } from 'aws-cdk-lib/core';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { startEmbeddedAws } from '../../local/embedded-aws.ts';
import { exampleOf, PIPELINE_SOURCE } from '../../shared-types/index.ts';
import { CompletedTasksQueue } from './stack.ts';

test('a rule on the bus is all that a new consumer needs', async () => {
  const outdir = await mkdtemp(path.join(os.tmpdir(), 'example-consumer-'));
  const app = new App({ outdir, analyticsReporting: false });
  const busStack = new Stack(app, 'TheBus');
  new EventBus(busStack, 'Bus', { eventBusName: 'test-comfyui-events' });
  const consumer = new CompletedTasksQueue(app, 'Consumer', { eventBusName: 'test-comfyui-events' });
  consumer.addStackDependency(busStack);
  app.synth();

  const aws = await startEmbeddedAws({ assembly: outdir });
  const { endpoint, region } = aws;
  const options = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const [events, sqs] = [new EventBridgeClient(options), new SQSClient(options)];
  try {
    const detail = exampleOf('Task Completed');
    const entry = (DetailType: string, content: unknown) => ({
      EventBusName: 'test-comfyui-events',
      Source: PIPELINE_SOURCE,
      DetailType,
      Detail: JSON.stringify(content),
    });
    await events.send(
      new PutEventsCommand({
        Entries: [entry('Task Failed', exampleOf('Task Failed')), entry('Task Completed', detail)],
      }),
    );
    await aws.idle();
    const QueueUrl = aws.outputs['Consumer']?.['QueueUrl'];
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }),
    );
    expect(Messages.map(({ Body }) => Body)).toEqual([`"Task ${detail.jobId} is done: ${detail.src}"`]);
  } finally {
    events.destroy();
    sqs.destroy();
    await aws.close();
    await rm(outdir, { recursive: true, force: true });
  }
});
