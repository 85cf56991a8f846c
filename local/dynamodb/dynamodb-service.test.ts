import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DynamoDbService } from './dynamodb-service.ts';
import type { DynamoDbOptions } from './dynamodb-service.ts';

const place = { region: 'eu-west-1', accountId: '111122223333' };
const jobs = {
  TableName: 'jobs',
  AttributeDefinitions: [
    { AttributeName: 'id', AttributeType: 'S' },
    { AttributeName: 'state', AttributeType: 'S' },
    { AttributeName: 'at', AttributeType: 'N' },
  ],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'by-state',
      KeySchema: [
        { AttributeName: 'state', KeyType: 'HASH' },
        { AttributeName: 'at', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'ALL' },
      ContributorInsightsSpecification: { Enabled: false },
    },
  ],
  BillingMode: 'PAY_PER_REQUEST',
  PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  SSESpecification: { SSEEnabled: true },
  TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true },
  Tags: [{ Key: 'team', Value: 'shop' }],
};

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Running {
  readonly service: DynamoDbService;
  readonly client: DynamoDBClient;
  readonly server: Server;
  readonly port: number;
  stop(): Promise<void>;
}

async function start(options: Partial<DynamoDbOptions> = {}): Promise<Running> {
  const service = new DynamoDbService({ place, log: () => undefined, ...options });
  const server = createServer((request, response) => void service.handle(request, response)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: place.region,
    credentials,
  });
  const stop = async (): Promise<void> => {
    client.destroy();
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    await service.close();
  };
  closers.push(stop);
  return { service, client, server, port, stop };
}

function provide(
  service: DynamoDbService,
  properties: Record<string, unknown>,
  type = 'AWS::DynamoDB::Table',
) {
  return service.providers[type]!({ stackName: 'Shop', logicalId: 'Jobs', type, properties });
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dynamodb-test-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('a table of the template', () => {
  test('takes conditional writes and is read through its index', async () => {
    const { service, client } = await start();
    await provide(service, jobs);
    await client.send(
      new PutItemCommand({
        TableName: 'jobs',
        Item: { id: { S: 'a' }, state: { S: 'new' }, at: { N: '1' } },
      }),
    );
    const update = new UpdateItemCommand({
      TableName: 'jobs',
      Key: { id: { S: 'a' } },
      UpdateExpression: 'SET #s = :done',
      ConditionExpression: '#s = :new',
      ExpressionAttributeNames: { '#s': 'state' },
      ExpressionAttributeValues: { ':done': { S: 'done' }, ':new': { S: 'new' } },
      ReturnValues: 'ALL_NEW',
    });
    expect((await client.send(update)).Attributes).toEqual({
      id: { S: 'a' },
      state: { S: 'done' },
      at: { N: '1' },
    });
    await expect(client.send(update)).rejects.toBeInstanceOf(ConditionalCheckFailedException);
    const found = await client.send(
      new QueryCommand({
        TableName: 'jobs',
        IndexName: 'by-state',
        KeyConditionExpression: '#s = :done',
        ExpressionAttributeNames: { '#s': 'state' },
        ExpressionAttributeValues: { ':done': { S: 'done' } },
      }),
    );
    expect(found.Count).toBe(1);
  });

  test('answers Ref and Arn as DescribeTable does', async () => {
    const { service, client } = await start();
    const table = await provide(service, jobs);
    const described = await client.send(new DescribeTableCommand({ TableName: table.ref }));
    expect(described.Table?.TableArn).toBe('arn:aws:dynamodb:eu-west-1:111122223333:table/jobs');
    expect(described.Table?.TableArn).toBe(table.attributes['Arn']);
    expect(described.Table?.TableStatus).toBe('ACTIVE');
  });

  test('may be a global table, and gets a name when the template gives none', async () => {
    const { service, client } = await start();
    const { TableName: _name, ...unnamed } = jobs;
    const replicas = { ...unnamed, Replicas: [{ Region: 'eu-west-1', TableClass: 'STANDARD' }] };
    const table = await provide(service, replicas, 'AWS::DynamoDB::GlobalTable');
    expect(table.ref).toMatch(/^Shop-Jobs-[0-9A-F]{12}$/);
    await client.send(new PutItemCommand({ TableName: table.ref, Item: { id: { S: 'a' } } }));
  });

  test.each([
    ['StreamSpecification', { StreamSpecification: { StreamViewType: 'NEW_IMAGE' } }],
    ['KeySchema', { KeySchema: 'id' }],
  ])('is refused by name when it asks for a %s that cannot be honoured', async (property, properties) => {
    const { service } = await start();
    await expect(provide(service, { ...jobs, ...properties })).rejects.toThrow(
      new RegExp(`Shop/Jobs .*${property}`),
    );
  });
});

describe('a data directory', () => {
  test('keeps items for the next start', async () => {
    const dataDir = await temporaryFolder();
    const first = await start({ dataDir });
    await provide(first.service, jobs);
    await first.client.send(new PutItemCommand({ TableName: 'jobs', Item: { id: { S: 'kept' } } }));
    await first.stop();
    const second = await start({ dataDir });
    await provide(second.service, jobs);
    const read = new GetItemCommand({ TableName: 'jobs', Key: { id: { S: 'kept' } }, ConsistentRead: true });
    expect((await second.client.send(read)).Item).toEqual({ id: { S: 'kept' } });
  });

  test('is refused when the template meanwhile changed an index', async () => {
    const dataDir = await temporaryFolder();
    const first = await start({ dataDir });
    await provide(first.service, jobs);
    await first.stop();
    const second = await start({ dataDir });
    const changed = {
      ...jobs,
      GlobalSecondaryIndexes: [{ ...jobs.GlobalSecondaryIndexes[0], IndexName: 'by-time' }],
    };
    await expect(provide(second.service, changed)).rejects.toMatchObject({ code: 'TableChanged' });
  });
});

test('a sweep deletes expired items and nothing else', async () => {
  const now = Date.UTC(2030, 0, 1);
  const { service, client } = await start({ now: () => now });
  await provide(service, jobs);
  const times = { past: now / 1000 - 10, future: now / 1000 + 10, ancient: 1 };
  const put = (id: string, expires: Record<string, string>) =>
    client.send(new PutItemCommand({ TableName: 'jobs', Item: { id: { S: id }, expires } as never }));
  for (const [id, time] of Object.entries(times)) await put(id, { N: String(time) });
  await put('text', { S: String(times.past) });
  expect(await service.sweep()).toBe(1);
  const left = async (id: string) =>
    (await client.send(new GetItemCommand({ TableName: 'jobs', Key: { id: { S: id } } }))).Item;
  expect(await left('past')).toBeUndefined();
  for (const id of ['future', 'ancient', 'text']) expect(await left(id)).toBeDefined();
});

test('a request that breaks off in its body does no harm', async () => {
  const { service, client, port } = await start();
  await provide(service, jobs);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"TableName"');
  await new Promise((resolve) => socket.write(' ', resolve));
  socket.resetAndDestroy();
  await client.send(new PutItemCommand({ TableName: 'jobs', Item: { id: { S: 'a' } } }));
  expect(
    (await client.send(new GetItemCommand({ TableName: 'jobs', Key: { id: { S: 'a' } } }))).Item,
  ).toBeDefined();
});

test('an operation whose caller is gone ends before its store is closed', async () => {
  const running = await start();
  const { service, client, server } = running;
  await provide(service, jobs);
  // Each caller hangs up as soon as its request is in the store's hands.
  server.on('request', (request, response) => {
    request.once('end', () => setImmediate(() => response.destroy()));
  });
  const puts = Promise.allSettled(
    Array.from({ length: 50 }, (_, index) =>
      client.send(new PutItemCommand({ TableName: 'jobs', Item: { id: { S: `job-${index}` } } })),
    ),
  );
  await once(server, 'request');
  await new Promise((resolve) => setTimeout(resolve, 5));
  await running.stop();
  const outcomes = await puts;
  expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
});
