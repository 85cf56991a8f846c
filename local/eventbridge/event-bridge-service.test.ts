import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DescribeEventBusCommand,
  DescribeRuleCommand,
  EventBridgeClient,
  ListEventBusesCommand,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  PutRuleCommand,
  TestEventPatternCommand,
} from '@aws-sdk/client-eventbridge';
import type { PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FunctionInvoker, InvokeResult, QueueSender } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { EventBridgeService } from './event-bridge-service.ts';
import type { EventBridgeOptions } from './event-bridge-service.ts';

const place = { region: 'eu-central-1', accountId: '123456789012' };
const FUNCTION = 'arn:aws:lambda:eu-central-1:123456789012:function:worker';
const QUEUE = 'arn:aws:sqs:eu-central-1:123456789012:jobs';
const DEAD = 'arn:aws:sqs:eu-central-1:123456789012:dead';

class FakeFunctions implements FunctionInvoker {
  readonly payloads: string[] = [];
  failures = 0;
  async invoke(): Promise<InvokeResult> {
    return { kind: 'ok', payload: 'null' };
  }
  async invokeAsync(arn: string, payload: string): Promise<void> {
    if (arn !== FUNCTION) throw new EmbeddedAwsError('ResourceNotFoundException', `No function ${arn}`);
    if (this.failures-- > 0) throw new EmbeddedAwsError('TooManyRequestsException', 'Rate exceeded');
    this.payloads.push(payload);
  }
}

class FakeQueues implements QueueSender {
  readonly sent: { arn: string; body: string; attributes: Readonly<Record<string, string>> }[] = [];
  async send(arn: string, body: string, attributes: Readonly<Record<string, string>> = {}): Promise<void> {
    this.sent.push({ arn, body, attributes });
  }
}

let functions: FakeFunctions;
let queues: FakeQueues;
let service: EventBridgeService;
let server: Server;
let client: EventBridgeClient;
let logged: string[];

async function start(options: Partial<EventBridgeOptions> = {}): Promise<void> {
  functions = new FakeFunctions();
  queues = new FakeQueues();
  logged = [];
  service = new EventBridgeService({
    place,
    invoker: functions,
    queues,
    deliveryRetryBaseMs: 1,
    log: (event) => logged.push(event),
    ...options,
  });
  server = createServer((request, response) => void service.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new EventBridgeClient({
    region: place.region,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });
}

async function stop(): Promise<void> {
  client.destroy();
  await service.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

beforeEach(() => start());
afterEach(stop);

const create = (type: string, properties: Record<string, unknown>, logicalId = 'Thing') =>
  service.providers[type]!({ stackName: 'stack', logicalId, type, properties });
const rule = (properties: Record<string, unknown>, logicalId = 'Rule') =>
  create('AWS::Events::Rule', properties, logicalId);
const put = (...Entries: PutEventsRequestEntry[]) => client.send(new PutEventsCommand({ Entries }));
const entry = (detail: unknown, more: Partial<PutEventsRequestEntry> = {}): PutEventsRequestEntry => ({
  Source: 'shop',
  DetailType: 'Order',
  Detail: JSON.stringify(detail),
  ...more,
});
const received = () => functions.payloads.map((payload) => JSON.parse(payload));

test('a matching event reaches the function in the documented envelope', async () => {
  await rule({ EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] });
  const Time = new Date('2026-02-03T04:05:06.789Z');
  const answer = await put(
    entry({ n: 1 }, { Time, Resources: ['arn:x'] }),
    entry({ n: 2 }, { Source: 'other' }),
  );
  await service.idle();
  expect(answer.FailedEntryCount).toBe(0);
  expect(received()).toEqual([
    {
      version: '0',
      id: answer.Entries![0]!.EventId,
      'detail-type': 'Order',
      source: 'shop',
      account: '123456789012',
      time: '2026-02-03T04:05:06Z',
      region: 'eu-central-1',
      resources: ['arn:x'],
      detail: { n: 1 },
    },
  ]);
});

test('numbers beyond 2^53 arrive digit for digit, also through a path and a template', async () => {
  const InputTransformer = {
    InputPathsMap: { seed: '$.detail.seed' },
    InputTemplate: '{"s":<seed>,"t":"seed <seed>"}',
  };
  const Targets = [
    { Id: 'a', Arn: FUNCTION },
    { Id: 'b', Arn: FUNCTION, InputPath: '$.detail' },
    { Id: 'c', Arn: FUNCTION, InputTransformer },
  ];
  await rule({ EventPattern: { source: ['shop'] }, Targets });
  await put(entry({}, { Detail: '{"seed":18446744073709551615}' }));
  await service.idle();
  expect(functions.payloads[0]).toContain('"detail":{"seed":18446744073709551615}');
  expect(functions.payloads[1]).toBe('{"seed":18446744073709551615}');
  expect(functions.payloads[2]).toBe('{"s":18446744073709551615,"t":"seed 18446744073709551615"}');
});

test('bad entries fail one by one and the good ones go through', async () => {
  await rule({ EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] });
  const answer = await put(
    entry({ n: 1 }),
    { DetailType: 'x', Detail: '{}' },
    { Source: 'shop', Detail: '{}' },
    { Source: 'shop', DetailType: 'x' },
    entry({}, { Detail: '{"cut' }),
    entry({}, { Detail: '[1]' }),
    entry({}, { Source: 'aws.s3' }),
  );
  await service.idle();
  expect(answer.FailedEntryCount).toBe(6);
  expect(answer.Entries!.map((one) => one.ErrorCode)).toEqual([
    undefined,
    'InvalidArgument',
    'InvalidArgument',
    'InvalidArgument',
    'MalformedDetail',
    'MalformedDetail',
    'NotAuthorizedForSourceException',
  ]);
  expect(received()).toHaveLength(1);
});

test('eleven entries, none, and more than a megabyte are refused whole', async () => {
  const eleven = Array.from({ length: 11 }, () => entry({}));
  await expect(put(...eleven)).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(put()).rejects.toMatchObject({ name: 'ValidationException' });
  await expect(put(entry({ text: 'x'.repeat(1_048_576) }))).rejects.toMatchObject({
    name: 'ValidationException',
  });
  const justFits = 1_048_576 - Buffer.byteLength('shopOrder{"text":""}');
  expect((await put(entry({ text: 'x'.repeat(justFits) }))).FailedEntryCount).toBe(0);
});

test('custom buses are found by name and by ARN, and keep their events apart', async () => {
  const bus = await create('AWS::Events::EventBus', { Name: 'orders' });
  expect(bus).toEqual({
    ref: 'orders',
    attributes: { Arn: 'arn:aws:events:eu-central-1:123456789012:event-bus/orders', Name: 'orders' },
  });
  const made = await rule({
    EventBusName: 'orders',
    Name: 'r',
    EventPattern: { source: ['shop'] },
    Targets: [{ Id: 'a', Arn: FUNCTION }],
  });
  expect(made).toEqual({
    ref: 'orders|r',
    attributes: { Arn: 'arn:aws:events:eu-central-1:123456789012:rule/orders/r' },
  });
  await put(
    entry({ n: 1 }),
    entry({ n: 2 }, { EventBusName: 'orders' }),
    entry({ n: 3 }, { EventBusName: bus.attributes['Arn']! }),
  );
  await service.idle();
  expect(received().map((event) => event.detail.n)).toEqual([2, 3]);
});

test('an event for a bus that does not exist is accepted and logged, as AWS accepts it', async () => {
  expect((await put(entry({}, { EventBusName: 'nowhere' }))).FailedEntryCount).toBe(0);
  expect(logged).toContain('eventbridge.bus_not_found');
});

test('a disabled rule stays silent', async () => {
  await rule({
    State: 'DISABLED',
    EventPattern: { source: ['shop'] },
    Targets: [{ Id: 'a', Arn: FUNCTION }],
  });
  await put(entry({}));
  await service.idle();
  expect(functions.payloads).toEqual([]);
});

test('targets are queues, other buses and log groups', async () => {
  const { attributes } = await create('AWS::Events::EventBus', { Name: 'second' });
  const group = 'arn:aws:logs:eu-central-1:123456789012:log-group:all';
  const Targets = [
    { Id: 'q', Arn: QUEUE },
    { Id: 'b', Arn: attributes['Arn'] },
    { Id: 'l', Arn: group },
  ];
  await rule({ EventPattern: { source: ['shop'] }, Targets }, 'First');
  await rule(
    { EventBusName: 'second', EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] },
    'Second',
  );
  const answer = await put(entry({ n: 1 }));
  await service.idle();
  expect(queues.sent[0]).toMatchObject({ arn: QUEUE });
  expect(received()[0]).toMatchObject({ id: answer.Entries![0]!.EventId, detail: { n: 1 } });
  expect(service.logLines(group)).toHaveLength(1);
});

test('a bus that feeds itself comes to an end', async () => {
  const arn = 'arn:aws:events:eu-central-1:123456789012:event-bus/default';
  await rule({
    EventPattern: { source: ['shop'] },
    Targets: [
      { Id: 'self', Arn: arn },
      { Id: 'a', Arn: FUNCTION },
    ],
  });
  await put(entry({}));
  await service.idle();
  expect(functions.payloads).toHaveLength(6);
});

test('Input, InputPath and InputTransformer shape what the target receives', async () => {
  const template =
    '{"who":<name>,"text":"hello <name>","all":<aws.events.event.json>,"rule":<aws.events.rule-arn>,"gone":<gone>,"list":<list>}';
  const InputPathsMap = { name: '$.detail.name', gone: '$.detail.nothing', list: '$.detail.list[0]' };
  const Targets = [
    { Id: 'i', Arn: FUNCTION, Input: '{"fixed":true}' },
    { Id: 'p', Arn: FUNCTION, InputPath: '$.detail.name' },
    { Id: 't', Arn: FUNCTION, InputTransformer: { InputPathsMap, InputTemplate: template } },
    {
      Id: 's',
      Arn: FUNCTION,
      InputTransformer: {
        InputPathsMap,
        InputTemplate: '"<name> did it at <aws.events.event.ingestion-time>"',
      },
    },
  ];
  const { attributes } = await rule({ EventPattern: { source: ['shop'] }, Targets });
  await put(entry({ name: 'An "odd" one', list: [{ a: 1 }] }));
  await service.idle();
  const [fixed, name, shaped, text] = received();
  expect(fixed).toEqual({ fixed: true });
  expect(name).toBe('An "odd" one');
  expect(shaped).toMatchObject({
    who: 'An "odd" one',
    text: 'hello An "odd" one',
    all: { source: 'shop', detail: { name: 'An "odd" one' } },
    rule: attributes['Arn'],
    gone: '',
    list: { a: 1 },
  });
  expect(text).toMatch(/^An "odd" one did it at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('a throttled target is tried again until it takes the event', async () => {
  await rule({ EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] });
  functions.failures = 3;
  await put(entry({ n: 1 }));
  await service.idle();
  expect(received()).toHaveLength(1);
});

test('after the last retry the event goes to the dead-letter queue, with the reason', async () => {
  const target = {
    Id: 'a',
    Arn: FUNCTION,
    RetryPolicy: { MaximumRetryAttempts: 2 },
    DeadLetterConfig: { Arn: DEAD },
    InputPath: '$.detail',
  };
  const { attributes } = await rule({ EventPattern: { source: ['shop'] }, Targets: [target] });
  functions.failures = 99;
  await put(entry({ n: 1 }));
  await service.idle();
  expect(queues.sent).toHaveLength(1);
  expect(JSON.parse(queues.sent[0]!.body)).toMatchObject({ source: 'shop', detail: { n: 1 } });
  expect(queues.sent[0]).toMatchObject({
    arn: DEAD,
    attributes: {
      RULE_ARN: attributes['Arn'],
      TARGET_ARN: FUNCTION,
      ERROR_CODE: 'THROTTLING',
      ERROR_MESSAGE: 'Rate exceeded',
      EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
      RETRY_ATTEMPTS: '2',
    },
  });
});

test('a target that does not exist is not tried again, and the other targets are served', async () => {
  const Targets = [
    { Id: 'a', Arn: `${FUNCTION}-gone`, DeadLetterConfig: { Arn: DEAD } },
    { Id: 'b', Arn: FUNCTION },
  ];
  await rule({ EventPattern: { source: ['shop'] }, Targets });
  await put(entry({}));
  await service.idle();
  expect(queues.sent[0]!.attributes).toMatchObject({ ERROR_CODE: 'NO_RESOURCE', RETRY_ATTEMPTS: '0' });
  expect(queues.sent[0]!.attributes).not.toHaveProperty('EXHAUSTED_RETRY_CONDITION');
  expect(functions.payloads).toHaveLength(1);
});

describe('with chaos', () => {
  test('deliveries are failed and retried, doubled and overtaken, and none is lost', async () => {
    await stop();
    let attempts = 0;
    const delivery = () => {
      attempts += 1;
      const copies = attempts % 3 === 0 ? 2 : 1;
      return {
        copies,
        delaysMs: Array<number>(copies).fill(attempts % 5 === 1 ? 700 : 0),
        fail: attempts % 4 === 0,
      };
    };
    await start({ chaos: { delivery } });
    await rule({ EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] });
    for (let n = 0; n < 12; n++) await put(entry({ n }));
    await service.idle();
    const numbers = received().map((event) => event.detail.n as number);
    expect(new Set(numbers).size).toBe(12);
    expect(numbers.length).toBeGreaterThan(12);
    expect(numbers).not.toEqual([...numbers].sort((one, other) => one - other));
  });
});

test('an archive keeps what matches, and still has it after a restart', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'archive-'));
  const archive = {
    ArchiveName: 'kept',
    SourceArn: 'arn:aws:events:eu-central-1:123456789012:event-bus/default',
    EventPattern: { source: ['shop'] },
  };
  try {
    for (const expected of [1, 2]) {
      await stop();
      await start({ dataDir });
      await create('AWS::Events::Archive', archive);
      await put(entry({ n: expected }), entry({}, { Source: 'other' }));
      expect(service.archivedEvents('kept')).toHaveLength(expected);
    }
    expect(() => service.archivedEvents('other')).toThrow(/does not exist/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});

describe('schedules', () => {
  const arrived = async (count: number) => {
    while (functions.payloads.length < count) await new Promise((resolve) => setImmediate(resolve));
  };

  test('a rate rule and a scheduler schedule fire again and again', async () => {
    await stop();
    await start({ scheduleScale: 6000 });
    await rule({ ScheduleExpression: 'rate(1 minute)', Targets: [{ Id: 'a', Arn: FUNCTION }] });
    await arrived(2);
    expect(received()[0]).toMatchObject({
      source: 'aws.events',
      'detail-type': 'Scheduled Event',
      detail: {},
    });
    const Target = { Arn: FUNCTION, RoleArn: 'arn:role', Input: '{"at":"<aws.scheduler.scheduled-time>"}' };
    await create('AWS::Scheduler::ScheduleGroup', { Name: 'g' });
    const made = await create('AWS::Scheduler::Schedule', {
      Name: 's',
      GroupName: 'g',
      ScheduleExpression: 'cron(* * * * ? *)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target,
    });
    expect(made.attributes['Arn']).toBe('arn:aws:scheduler:eu-central-1:123456789012:schedule/g/s');
    while (!functions.payloads.some((payload) => /^\{"at":"\d{4}-.*:00Z"\}$/.test(payload))) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test('a disabled schedule does not fire and nothing holds the process', async () => {
    await rule({
      ScheduleExpression: 'rate(1 day)',
      State: 'DISABLED',
      Targets: [{ Id: 'a', Arn: FUNCTION }],
    });
    await rule({ ScheduleExpression: 'rate(400 days)', Targets: [{ Id: 'a', Arn: FUNCTION }] }, 'Long');
    expect(functions.payloads).toEqual([]);
  });
});

describe('what cannot be honoured is refused at start', () => {
  const target = { Id: 'a', Arn: FUNCTION };
  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'an unknown operator',
      { Name: 'odd', EventPattern: { source: [{ like: 'x' }] } },
      /Rule odd: .*like at "source"/,
    ],
    [
      'a target property',
      { EventPattern: { source: ['x'] }, Targets: [{ ...target, EcsParameters: {} }] },
      /Rule.*Targets\.0.*EcsParameters/,
    ],
    [
      'six targets',
      { EventPattern: { source: ['x'] }, Targets: Array.from({ length: 6 }, () => target) },
      /Targets/,
    ],
    ['neither pattern nor schedule', { Targets: [target] }, /is required/],
    ['a schedule that is none', { ScheduleExpression: 'rate(1 minutes)' }, /ScheduleExpression is not valid/],
    [
      'an unknown bus',
      { EventBusName: 'gone', EventPattern: { source: ['x'] } },
      /Event bus gone does not exist/,
    ],
  ])('%s', async (_, properties, message) => {
    await expect(rule(properties)).rejects.toThrow(message);
  });

  test('a bus twice, and a schedule in another time zone', async () => {
    await create('AWS::Events::EventBus', { Name: 'b' });
    await expect(create('AWS::Events::EventBus', { Name: 'b' })).rejects.toThrow(/already exists/);
    const zone = {
      ScheduleExpression: 'rate(1 day)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { Arn: FUNCTION, RoleArn: 'r' },
    };
    await expect(create('AWS::Scheduler::Schedule', zone)).rejects.toThrow(/only UTC/);
  });
});

describe('the API answers', () => {
  test('rules, their targets and the buses', async () => {
    await rule({ Name: 'one', EventPattern: { source: ['shop'] }, Targets: [{ Id: 'a', Arn: FUNCTION }] });
    expect(await client.send(new DescribeRuleCommand({ Name: 'one' }))).toMatchObject({
      State: 'ENABLED',
      EventPattern: '{"source":["shop"]}',
    });
    expect((await client.send(new ListRulesCommand({ NamePrefix: 'on' }))).Rules).toHaveLength(1);
    expect((await client.send(new ListTargetsByRuleCommand({ Rule: 'one' }))).Targets).toEqual([
      { Id: 'a', Arn: FUNCTION },
    ]);
    expect((await client.send(new ListEventBusesCommand({}))).EventBuses).toMatchObject([
      { Name: 'default' },
    ]);
    await expect(client.send(new DescribeEventBusCommand({ Name: 'x' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await expect(client.send(new DescribeRuleCommand({ Name: 'x' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('TestEventPattern, and errors by their name', async () => {
    const ask = (EventPattern: string, Event: string) =>
      client.send(new TestEventPatternCommand({ EventPattern, Event }));
    expect((await ask('{"source":["a"]}', '{"source":"a"}')).Result).toBe(true);
    expect((await ask('{"source":["a"]}', '{"source":"b"}')).Result).toBe(false);
    await expect(ask('{"source":"a"}', '{}')).rejects.toMatchObject({ name: 'InvalidEventPatternException' });
    await expect(ask('{"source":["a"]}', '{')).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('an operation that is not there by its name', async () => {
    await expect(client.send(new PutRuleCommand({ Name: 'x' }))).rejects.toMatchObject({
      name: 'UnknownOperationException',
    });
  });
});
