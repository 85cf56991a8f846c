import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { AwsService } from '../contract.ts';
import { Chaos } from './chaos.ts';
import { FrontDoor } from './front-door.ts';

const names = ['dynamodb', 'events', 's3', 'sqs', 'lambda', 'execute-api'];

/** Answers anything with an empty JSON object and remembers what it got. */
class RecordingService implements AwsService {
  readonly signingName: string;
  readonly bodies: string[] = [];

  constructor(signingName: string) {
    this.signingName = signingName;
  }

  async handle(...[request, response]: Parameters<AwsService['handle']>): Promise<void> {
    this.bodies.push((await buffer(request)).toString());
    const closed = finished(response);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(this.signingName === 's3' ? '' : '{}');
    await closed;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const doors: FrontDoor[] = [];
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close();
});

async function open(chaos = new Chaos()) {
  const door = new FrontDoor({ chaos, log: () => undefined });
  const services = new Map(names.map((name) => [name, new RecordingService(name)]));
  for (const service of services.values()) door.add(service);
  await door.listen();
  doors.push(door);
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const config = { endpoint: door.endpoint, region: 'eu-west-1', credentials, maxAttempts: 1 };
  return { door, services, config };
}

type Config = Awaited<ReturnType<typeof open>>['config'];

const calls: Record<string, (config: Config) => Promise<unknown>> = {
  dynamodb: (config) =>
    new DynamoDBClient(config).send(new GetItemCommand({ TableName: 't', Key: { id: { S: 'a' } } })),
  events: (config) =>
    new EventBridgeClient(config).send(new PutEventsCommand({ Entries: [{ Source: 'shop' }] })),
  s3: (config) => new S3Client(config).send(new PutObjectCommand({ Bucket: 'b', Key: 'k/l', Body: 'x' })),
  sqs: (config) =>
    new SQSClient(config).send(
      new SendMessageCommand({ QueueUrl: `${config.endpoint}/q`, MessageBody: 'm' }),
    ),
  lambda: (config) => new LambdaClient(config).send(new InvokeCommand({ FunctionName: 'f' })),
  'execute-api': (config) =>
    new ApiGatewayManagementApiClient(config).send(
      new PostToConnectionCommand({ ConnectionId: 'c', Data: 'd' }),
    ),
};

describe('the front door', () => {
  test.each(Object.keys(calls))('hands a call of the SDK to %s', async (name) => {
    const { services, config } = await open();
    // SQS checks the digest of its answer; arriving is what counts here.
    await calls[name]!(config).catch(() => undefined);
    const reached = [...services.values()]
      .filter(({ bodies }) => bodies.length > 0)
      .map(({ signingName }) => signingName);
    expect(reached).toEqual([name]);
  });

  test('knows a presigned request by its query, and takes an unsigned one for S3', async () => {
    const { services, config, door } = await open();
    await fetch(await getSignedUrl(new S3Client(config), new GetObjectCommand({ Bucket: 'b', Key: 'k' })));
    await fetch(`${door.endpoint}/b/k`);
    expect(services.get('s3')!.bodies).toHaveLength(2);
  });

  test('refuses a service it has not, naming those it has', async () => {
    const { door } = await open();
    const authorization =
      'AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/kinesis/aws4_request, SignedHeaders=host, Signature=s';
    const answer = await fetch(door.endpoint, { method: 'POST', headers: { authorization } });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-amzn-errortype')).toBe('UnknownService');
    expect(await answer.json()).toEqual({ message: expect.stringContaining('"kinesis"') });
  });

  test('answers 500 when a service breaks, and serves the next call', async () => {
    const { door, services, config } = await open();
    door.add({
      signingName: 's3',
      handle: () => Promise.reject(new Error('broken')),
      close: () => Promise.resolve(),
    });
    await expect(calls['s3']!(config)).rejects.toMatchObject({ name: 'InternalError' });
    await calls['dynamodb']!(config);
    expect(services.get('dynamodb')!.bodies).toHaveLength(1);
  });

  test.each(['//', 'http://[', '/%', '/?X-Amz-Credential=%ff%ff'])(
    'survives the request target %j',
    async (target) => {
      const { door, services, config } = await open();
      const socket = connect(Number(new URL(door.endpoint).port), '127.0.0.1');
      socket.end(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 (200|400)/);
      await calls['dynamodb']!(config);
      expect(services.get('dynamodb')!.bodies).toHaveLength(1);
    },
  );

  test('says which port is taken', async () => {
    const { door } = await open();
    const second = new FrontDoor({
      chaos: new Chaos(),
      log: () => undefined,
      port: Number(new URL(door.endpoint).port),
    });
    await expect(second.listen()).rejects.toMatchObject({ code: 'PortUnavailable' });
  });
});

describe('counting', () => {
  test('tells service, operation, calls and bytes of the bodies', async () => {
    const { door, config } = await open();
    const item = new PutItemCommand({ TableName: 'jobs', Item: { id: { S: 'a' } } });
    await new DynamoDBClient(config).send(item);
    await new DynamoDBClient(config).send(item);
    const s3 = new S3Client({ ...config, requestChecksumCalculation: 'WHEN_REQUIRED' });
    await s3.send(new PutObjectCommand({ Bucket: 'b', Key: 'k/l', Body: 'four' }));
    const put = Buffer.byteLength('{"Item":{"id":{"S":"a"}},"TableName":"jobs"}');
    expect(door.calls()).toEqual([
      { service: 'dynamodb', operation: 'PutItem', count: 2, requestBytes: put * 2, responseBytes: 4 },
      { service: 's3', operation: 'PUT /{bucket}/{key}', count: 1, requestBytes: 4, responseBytes: 0 },
    ]);
    door.resetCalls();
    expect(door.calls()).toEqual([]);
  });

  test('names the routes of Lambda and of connections without their ids', async () => {
    const { door, config } = await open();
    await calls['lambda']!(config);
    await calls['execute-api']!(config);
    expect(door.calls().map(({ operation }) => operation)).toEqual([
      'POST /@connections/{id}',
      'POST /2015-03-31/functions/{name}/invocations',
    ]);
  });
});

describe('chaos at the front door', () => {
  test.each([
    ['dynamodb', 'ProvisionedThroughputExceededException', 'InternalServerError'],
    ['events', 'ThrottlingException', 'InternalException'],
    ['s3', 'SlowDown', 'InternalError'],
    ['sqs', 'RequestThrottled', 'InternalFailure'],
    ['lambda', 'TooManyRequestsException', 'ServiceException'],
    ['execute-api', 'LimitExceededException', 'InternalFailure'],
  ])(
    '%s fails as %s before its work and as %s after it, so the SDK can tell',
    async (name, throttled, failed) => {
      const { services, config } = await open(new Chaos({ seed: 3, failRate: 1 }));
      const seen = new Map<string, number>();
      for (let count = 0; count < 12; count += 1) {
        const before = services.get(name)!.bodies.length;
        const error = await calls[name]!(config).then(
          () => 'none',
          (reason: Error) => reason.name,
        );
        seen.set(error, services.get(name)!.bodies.length - before);
      }
      expect(Object.fromEntries(seen)).toEqual({ [throttled]: 0, [failed]: 1 });
    },
  );

  test('a client of the SDK gets through a rough line by its own retries', async () => {
    const { config } = await open(new Chaos({ seed: 11, failRate: 0.5, latencyMs: { min: 1, max: 5 } }));
    const client = new DynamoDBClient({ ...config, maxAttempts: 20, retryMode: 'standard' });
    const get = new GetItemCommand({ TableName: 't', Key: { id: { S: 'a' } } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.send(get)));
    expect(answers).toHaveLength(10);
  });
});
