import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import type { ReceiveMessageCommandInput, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SqsService } from './sqs-service.ts';

const place = { region: 'eu-central-1', accountId: '123456789012' };
let dataDir: string;
let service: SqsService;
let server: Server;
let client: SQSClient;
let QueueUrl: string;

const create = (properties: Record<string, unknown>, logicalId = 'Queue') =>
  service.providers['AWS::SQS::Queue']!({
    stackName: 'stack',
    logicalId,
    type: 'AWS::SQS::Queue',
    properties,
  });

async function start(): Promise<void> {
  let endpoint = '';
  service = new SqsService({ place, endpoint: () => endpoint, dataDir, log: () => {} });
  server = createServer((request, response) => void service.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new SQSClient({
    region: place.region,
    endpoint,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  QueueUrl = (await create({ QueueName: 'jobs', VisibilityTimeout: 30 })).ref;
}

async function stop(): Promise<void> {
  await service.close();
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'sqs-'));
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(dataDir, { recursive: true });
});

const send = (MessageBody: string, more: Partial<SendMessageCommandInput> = {}) =>
  client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
const receive = async (more: Partial<ReceiveMessageCommandInput> = {}) =>
  (await client.send(new ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
const remove = (ReceiptHandle: string) => client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
const attributes = async () =>
  (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes!;

test('a message comes back with its attributes, whose digests the SDK checks', async () => {
  const MessageAttributes = {
    name: { DataType: 'String', StringValue: 'ü' },
    count: { DataType: 'Number', StringValue: '7' },
    raw: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2, 255]) },
  };
  const sent = await send('{"job":"日本 😀"}', { MessageAttributes });
  const [message] = await receive({ MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'] });
  expect(message).toMatchObject({
    MessageId: sent.MessageId,
    Body: '{"job":"日本 😀"}',
    Attributes: { ApproximateReceiveCount: '1' },
  });
  expect(message!.MessageAttributes!['count']!.StringValue).toBe('7');
  expect([...message!.MessageAttributes!['raw']!.BinaryValue!]).toEqual([1, 2, 255]);
  await remove(message!.ReceiptHandle!);
  expect(await attributes()).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '0',
  });
});

test('a received message is hidden until its time is over, and counts its receives', async () => {
  await send('once');
  const [first] = await receive({ MessageSystemAttributeNames: ['ApproximateReceiveCount'] });
  expect(await receive()).toEqual([]);
  expect(await attributes()).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '1',
  });
  await client.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl,
      ReceiptHandle: first!.ReceiptHandle,
      VisibilityTimeout: 0,
    }),
  );
  const [second] = await receive({ MessageSystemAttributeNames: ['All'] });
  expect(second!.Attributes!['ApproximateReceiveCount']).toBe('2');
});

test('a long poll is woken by a message, and by one that becomes visible', async () => {
  const waiting = receive({ WaitTimeSeconds: 20 });
  await send('wake up', { DelaySeconds: 1 });
  expect((await waiting)[0]!.Body).toBe('wake up');
});

test('two receivers never get one message', async () => {
  const bodies = Array.from({ length: 10 }, (_, n) => String(n));
  await client.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: bodies.map((MessageBody) => ({ Id: MessageBody, MessageBody })),
    }),
  );
  const got = await Promise.all([1, 2, 3, 4].map(() => receive({ MaxNumberOfMessages: 3 })));
  expect(
    got
      .flat()
      .map((one) => one.Body)
      .sort((one, other) => Number(one) - Number(other)),
  ).toEqual(bodies);
});

test('after the last allowed receive a message goes to the dead-letter queue', async () => {
  const dead = await create({ QueueName: 'dead' }, 'Dead');
  const source = await create(
    {
      QueueName: 'work',
      VisibilityTimeout: 0,
      RedrivePolicy: { deadLetterTargetArn: dead.attributes['Arn'], maxReceiveCount: 2 },
    },
    'Work',
  );
  await send('poison', { QueueUrl: source.ref });
  for (let count = 1; count <= 2; count++) expect(await receive({ QueueUrl: source.ref })).toHaveLength(1);
  expect(await receive({ QueueUrl: source.ref })).toEqual([]);
  const [message] = await receive({ QueueUrl: dead.ref, MessageSystemAttributeNames: ['All'] });
  expect(message).toMatchObject({
    Body: 'poison',
    Attributes: { DeadLetterQueueSourceArn: source.attributes['Arn'], ApproximateReceiveCount: '1' },
  });
});

test('messages survive a restart', async () => {
  await send('kept');
  await send('deleted');
  for (const message of await receive({ MaxNumberOfMessages: 10, VisibilityTimeout: 0 })) {
    if (message.Body === 'deleted') await remove(message.ReceiptHandle!);
  }
  await stop();
  await start();
  expect((await receive({ MaxNumberOfMessages: 10 })).map((one) => one.Body)).toEqual(['kept']);
});

test('other services send, receive and remove by ARN', async () => {
  const arn = 'arn:aws:sqs:eu-central-1:123456789012:jobs';
  await service.send(arn, 'text', { ERROR_CODE: 'X' });
  const [message] = await service.receive(arn, 10, 1000);
  expect(message).toMatchObject({
    body: 'text',
    attributes: { ApproximateReceiveCount: '1' },
    messageAttributes: { ERROR_CODE: { DataType: 'String', StringValue: 'X' } },
  });
  await service.remove(arn, message!.receiptHandle);
  await expect(service.remove(arn, 'nonsense')).rejects.toMatchObject({ code: 'ReceiptHandleIsInvalid' });
  await expect(service.send(`${arn}-gone`, 'x')).rejects.toMatchObject({ code: 'NonExistentQueue' });
});

test('closing ends the waits of receivers', async () => {
  const waiting = service.receive('arn:aws:sqs:eu-central-1:123456789012:jobs', 1, 20_000);
  await service.close();
  expect(await waiting).toEqual([]);
});

test('a batch answers each entry on its own', async () => {
  const answer = await client.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: [
        { Id: 'a', MessageBody: 'ok' },
        { Id: 'b', MessageBody: 'bad \u0000' },
      ],
    }),
  );
  expect([answer.Successful!.map((one) => one.Id), answer.Failed!.map((one) => one.Code)]).toEqual([
    ['a'],
    ['InvalidMessageContents'],
  ]);
  const [message] = await receive();
  const Entries = [
    { Id: '1', ReceiptHandle: message!.ReceiptHandle },
    { Id: '2', ReceiptHandle: 'nonsense' },
  ];
  const removed = await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  expect([removed.Successful!.map((one) => one.Id), removed.Failed!.map((one) => one.Code)]).toEqual([
    ['1'],
    ['ReceiptHandleIsInvalid'],
  ]);
});

test('queues are made, found, listed and purged', async () => {
  const made = await client.send(
    new CreateQueueCommand({ QueueName: 'made', Attributes: { DelaySeconds: '5' } }),
  );
  expect((await client.send(new GetQueueUrlCommand({ QueueName: 'made' }))).QueueUrl).toBe(made.QueueUrl);
  expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: 'ma' }))).QueueUrls).toEqual([
    made.QueueUrl,
  ]);
  await send('x');
  await client.send(new PurgeQueueCommand({ QueueUrl }));
  expect(await receive()).toEqual([]);
  await expect(client.send(new GetQueueUrlCommand({ QueueName: 'none' }))).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
  await expect(receive({ QueueUrl: `${QueueUrl}-none` })).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
});

describe('what is refused', () => {
  test.each([
    ['an empty body', '', 'MissingParameter'],
    ['more than a megabyte', 'x'.repeat(1_048_577), 'InvalidParameterValue'],
    ['a control character', 'a\u0001', 'InvalidMessageContents'],
  ])('%s', async (_, body, name) => {
    await expect(send(body)).rejects.toMatchObject({ name });
  });

  test('a body of exactly a megabyte is taken', async () => {
    await send('x'.repeat(1_048_576));
    expect((await receive())[0]!.Body).toHaveLength(1_048_576);
  });

  test.each([
    [{ FifoQueue: true }, /Queue: .*FIFO queues are not supported/],
    [{ QueueName: 'a.fifo' }, /FIFO queues are not supported/],
    [{ Odd: 1 }, /Odd/],
    [{ VisibilityTimeout: 50_000 }, /VisibilityTimeout/],
    [{ QueueName: 'jobs' }, /exists already/],
  ])('a template with %j', async (properties, message) => {
    await expect(create(properties)).rejects.toThrow(message);
  });
});
