import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { EmbeddedAws, EmbeddedAwsOptions } from './embedded-aws.ts';
import { startEmbeddedAws } from './embedded-aws.ts';

let folder: string;
let assembly: string;
const running: EmbeddedAws[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedded-aws-test-'));
  assembly = join(folder, 'shop', 'cdk.out');
  const script = fileURLToPath(new URL('./testing/synthesize-shop.mjs', import.meta.url));
  // Ten functions and rules more than the tests use: the size of a real application.
  execFileSync(process.execPath, [script, assembly, '10']);
}, 60_000);

afterEach(async () => {
  for (const aws of running.splice(0)) await aws.close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(options: Partial<EmbeddedAwsOptions> = {}): Promise<EmbeddedAws> {
  const aws = await startEmbeddedAws({ assembly, asyncRetryBaseMs: 5, ...options });
  running.push(aws);
  return aws;
}

function clients({ endpoint, region }: EmbeddedAws) {
  const config = {
    endpoint,
    region,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 10,
  };
  return {
    dynamo: new DynamoDBClient(config),
    events: new EventBridgeClient(config),
    lambda: new LambdaClient(config),
    s3: new S3Client(config),
    sqs: new SQSClient(config),
  };
}

function output(aws: EmbeddedAws, name: string): string {
  const values = Object.values(aws.outputs).flatMap((outputs) => Object.entries(outputs));
  const value = values.find(([key]) => key === name)?.[1];
  if (value === undefined) throw new Error(`no output ${name}`);
  return value;
}

function placeOrder(aws: EmbeddedAws, id: string): Promise<Response> {
  return fetch(`${output(aws, 'ApiUrl')}/orders`, { method: 'POST', body: JSON.stringify({ id }) });
}

async function orderStates(aws: EmbeddedAws, id: string): Promise<readonly string[]> {
  const answer = await fetch(`${output(aws, 'ApiUrl')}/orders/${id}`);
  const body = (await answer.json()) as { states?: string[] };
  return body.states ?? [];
}

/** Asks until the order has these states; the test's own time limit ends a wait in vain. */
async function untilStates(aws: EmbeddedAws, id: string, states: readonly string[]): Promise<void> {
  while (JSON.stringify(await orderStates(aws, id)) !== JSON.stringify(states)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilState(aws: EmbeddedAws, id: string, state: string): Promise<void> {
  while (!(await orderStates(aws, id)).includes(state))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

async function receiveAll(aws: EmbeddedAws, queue: string): Promise<readonly string[]> {
  const { sqs } = clients(aws);
  const QueueUrl = output(aws, queue);
  const bodies: string[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    if (Messages.length === 0) return bodies;
    for (const { Body = '', ReceiptHandle } of Messages) {
      bodies.push(Body);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

describe('a synthesized application', () => {
  test('runs: an order goes through API, bus, functions, queues, table and bucket', async () => {
    const aws = await start();
    expect((await placeOrder(aws, 'o-1')).status).toBe(202);
    await aws.idle();
    await untilStates(aws, 'o-1', ['recorded', 'shipped']);
    const { s3 } = clients(aws);
    const paper = await s3.send(
      new GetObjectCommand({ Bucket: output(aws, 'BucketName'), Key: 'orders/o-1.json' }),
    );
    expect(await paper.Body!.transformToString()).toBe('{"id":"o-1"}');
    expect(
      (await receiveAll(aws, 'AuditQueueUrl')).map(
        (body) => (JSON.parse(body) as { detail: unknown }).detail,
      ),
    ).toEqual([{ id: 'o-1' }]);
    expect(aws.functionLogs('recordOrder')).toEqual(['recorded o-1']);
    expect(aws.resources()).toContainEqual({
      stackName: 'Shop',
      type: 'AWS::Events::EventBus',
      logicalId: expect.stringMatching(/^Bus/),
      ref: 'shop-bus',
    });
  });

  test('retries an event whose function fails, then hands it to the failure destination', async () => {
    const aws = await start();
    await placeOrder(aws, 'poison');
    await aws.idle();
    const [record] = await receiveAll(aws, 'FailuresQueueUrl');
    expect(JSON.parse(record!)).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { detail: { id: 'poison' } },
      responsePayload: { errorType: 'RangeError' },
    });
  });

  test('counts what the application asks of AWS, the functions included', async () => {
    const aws = await start();
    aws.resetCalls();
    await placeOrder(aws, 'o-2');
    await untilStates(aws, 'o-2', ['recorded', 'shipped']);
    await aws.idle();
    const counts = new Map(
      aws.calls().map(({ service, operation, count }) => [`${service} ${operation}`, count]),
    );
    expect(counts.get('events PutEvents')).toBe(1);
    expect(counts.get('dynamodb UpdateItem')).toBe(2);
    expect(counts.get('s3 PUT /{bucket}/{key}')).toBe(1);
    aws.resetCalls();
    expect(aws.calls()).toEqual([]);
  });

  test('keeps tables, objects and messages in its data directory for the next start', async () => {
    const dataDir = join(folder, 'data');
    const first = await start({ dataDir });
    await placeOrder(first, 'kept');
    await first.idle();
    await untilStates(first, 'kept', ['recorded', 'shipped']);
    await first.close();
    const second = await start({ dataDir });
    expect(await orderStates(second, 'kept')).toEqual(['recorded', 'shipped']);
    const { s3 } = clients(second);
    await s3.send(new GetObjectCommand({ Bucket: output(second, 'BucketName'), Key: 'orders/kept.json' }));
    expect(await receiveAll(second, 'AuditQueueUrl')).toHaveLength(1);
  });

  test('forgets everything without a data directory, and leaves no folder behind', async () => {
    const temporaryFolders = async () =>
      (await readdir(tmpdir())).filter((name) => /^embedded-(aws|lambda)-[^t]/.test(name));
    const before = await temporaryFolders();
    const first = await start();
    const item = { TableName: output(first, 'TableName'), Item: { id: { S: 'a' } } };
    await clients(first).dynamo.send(new PutItemCommand(item));
    await first.close();
    expect(await temporaryFolders()).toEqual(before);
    const second = await start();
    const read = new GetItemCommand({ TableName: item.TableName, Key: item.Item });
    expect((await clients(second).dynamo.send(read)).Item).toBeUndefined();
  });

  test('gets every order recorded on a line that fails, delays, doubles and reorders', async () => {
    const chaos = {
      seed: 5,
      failRate: 0.15,
      duplicateRate: 0.3,
      latencyMs: { min: 0, max: 10 },
      reorder: { rate: 0.3, windowMs: 30 },
      // The test itself reads the queues: a read that fails after its work would hide messages from it.
      services: ['events', 'lambda', 'dynamodb', 's3'],
    };
    const aws = await start({ chaos });
    const ids = Array.from({ length: 5 }, (_, index) => `rough-${index}`);
    for (const id of ids) while ((await placeOrder(aws, id)).status !== 202) continue;
    await aws.idle();
    const failures = await receiveAll(aws, 'FailuresQueueUrl');
    for (const id of ids) {
      if (!failures.some((record) => record.includes(id))) await untilState(aws, id, 'recorded');
    }
    expect(failures.length).toBeLessThan(ids.length);
  }, 60_000);

  test('takes calls of the SDK from outside as well', async () => {
    const aws = await start({ region: 'eu-central-1', accountId: '123456789012' });
    const { events, lambda } = clients(aws);
    const Entries = [
      { EventBusName: 'shop-bus', Source: 'shop.test', DetailType: 'Order Placed', Detail: '{"id":"sdk"}' },
    ];
    expect((await events.send(new PutEventsCommand({ Entries }))).FailedEntryCount).toBe(0);
    await aws.idle();
    const request = JSON.stringify({ pathParameters: { id: 'sdk' } });
    const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: 'readOrder', Payload: request }));
    expect(JSON.parse(Payload!.transformToString())).toMatchObject({ statusCode: 200 });
  });
});

describe('starting', () => {
  test('takes well under two seconds with fifteen functions and as many rules', async () => {
    const began = performance.now();
    const aws = await start();
    expect(performance.now() - began).toBeLessThan(2000);
    const count = (type: string) => aws.resources().filter((resource) => resource.type === type).length;
    expect([count('AWS::Lambda::Function'), count('AWS::Events::Rule')]).toEqual([15, 14]);
  });

  test('refuses a template with a type that nobody provides, and frees the data directory', async () => {
    const dataDir = join(folder, 'refused');
    const broken = join(folder, 'broken');
    await cp(assembly, broken, { recursive: true });
    const file = join(broken, 'Shop.template.json');
    const template = JSON.parse(await readFile(file, 'utf8')) as { Resources: Record<string, unknown> };
    template.Resources['Stream'] = { Type: 'AWS::Kinesis::Stream' };
    await writeFile(file, JSON.stringify(template));
    await expect(start({ assembly: broken, dataDir })).rejects.toThrow('Shop/Stream (AWS::Kinesis::Stream)');
    await (await start({ dataDir })).close();
  });

  test('refuses a data directory that another one uses', async () => {
    const dataDir = join(folder, 'shared');
    await start({ dataDir });
    await expect(start({ dataDir })).rejects.toMatchObject({ code: 'DataDirectoryInUse' });
  });

  test('takes over a data directory whose owner is gone', async () => {
    const dataDir = join(folder, 'abandoned');
    await (await start({ dataDir })).close();
    await writeFile(join(dataDir, 'in-use-by.pid'), 'no process');
    await start({ dataDir });
    expect(existsSync(join(dataDir, 'in-use-by.pid'))).toBe(true);
  });

  test('listens where it is told, and says so when that port is taken', async () => {
    const first = await start();
    const port = Number(new URL(first.endpoint).port);
    await expect(start({ port })).rejects.toMatchObject({ code: 'PortUnavailable' });
    await first.close();
    expect((await start({ port })).endpoint).toBe(first.endpoint);
  });

  test('serves an API on the port given by its name', async () => {
    const probe = await start();
    const port = Number(new URL(probe.endpoint).port);
    await probe.close();
    const aws = await start({ apiPorts: { 'shop-api': port } });
    expect(output(aws, 'ApiUrl')).toBe(`http://127.0.0.1:${port}`);
  });
});
