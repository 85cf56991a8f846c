import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { InvokeCommandInput, InvokeCommandOutput } from '@aws-sdk/client-lambda';
import { Chaos } from '../front-door/chaos.ts';
import type { LambdaOptions } from './lambda-service.ts';
import { LambdaService } from './lambda-service.ts';
import type { QueueMessage } from './event-source-mapping.ts';

const place = { region: 'eu-west-1', accountId: '111122223333' };
const queueArn = 'arn:aws:sqs:eu-west-1:111122223333:failures';

/** Every behaviour that a test needs, chosen by the event. */
const source = `
import { setTimeout as sleep } from 'node:timers/promises';
let invocations = 0;
const behaviours = {
  echo: (event) => event,
  count: () => ++invocations,
  env: (event) => process.env[event.name] ?? null,
  envNames: () => Object.keys(process.env),
  context: (event, context) => ({ ...context, remaining: context.getRemainingTimeInMillis() }),
  print: () => { console.log('a line'); console.error('a complaint'); process.stdout.write('raw\\n'); },
  fail: () => { throw new TypeError('no good'); },
  rejectLater: () => { void Promise.reject(new Error('forgotten')); return sleep(5000); },
  throwLater: () => { setTimeout(() => { throw new RangeError('late'); }); return sleep(5000); },
  exit: () => process.exit(3),
  hang: () => sleep(60000),
  nap: async (event) => { await sleep(event.ms); return 'rested'; },
  partial: (event) => ({ batchItemFailures: event.Records.filter((r) => r.body === 'bad').map((r) => ({ itemIdentifier: r.messageId })) }),
};
export const handler = async (event, context) => behaviours[event.do ?? process.env.DO](event, context);
`;

class RecordingQueues {
  readonly sent: { queueArn: string; body: string; attributes?: Readonly<Record<string, string>> }[] = [];
  readonly waiting: QueueMessage[] = [];
  readonly removed: string[] = [];
  #wake: (() => void)[] = [];

  async send(arn: string, body: string, attributes?: Readonly<Record<string, string>>): Promise<void> {
    this.sent.push({ queueArn: arn, body, ...(attributes ? { attributes } : {}) });
    for (const wake of this.#wake.splice(0)) wake();
  }

  async receive(_arn: string, max: number): Promise<readonly QueueMessage[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.waiting.splice(0, max);
  }

  async remove(_arn: string, receiptHandle: string): Promise<void> {
    this.removed.push(receiptHandle);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }
}

let folder: string;
let queues: RecordingQueues;
let service: LambdaService;
let server: Server;
let client: LambdaClient;
const closers: (() => Promise<unknown>)[] = [];

async function start(options: Partial<LambdaOptions> = {}): Promise<void> {
  service = new LambdaService({
    place,
    endpoint: () => 'http://127.0.0.1:9',
    assets: new Map([['code.zip', folder]]),
    queues,
    chaos: new Chaos(),
    log: () => undefined,
    asyncRetryBaseMs: 1,
    ...options,
  });
  const { handle } = { handle: service.handle.bind(service) };
  server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  client = new LambdaClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: place.region,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  closers.push(async () => {
    client.destroy();
    await service.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
}

async function provide(type: string, logicalId: string, properties: Record<string, unknown>) {
  const provider = service.providers[type]!;
  return provider({ stackName: 'Shop', logicalId, type, properties });
}

async function addFunction(name: string, properties: Record<string, unknown> = {}): Promise<void> {
  await provide('AWS::Lambda::Function', name, {
    FunctionName: name,
    Code: { S3Bucket: 'assets', S3Key: 'code.zip' },
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
    Timeout: 10,
    ...properties,
  });
}

function invoke(payload: unknown, input: Partial<InvokeCommandInput> = {}): Promise<InvokeCommandOutput> {
  return client.send(new InvokeCommand({ FunctionName: 'shop', Payload: JSON.stringify(payload), ...input }));
}

async function answerOf(payload: unknown, input: Partial<InvokeCommandInput> = {}): Promise<unknown> {
  return JSON.parse((await invoke(payload, input)).Payload!.transformToString());
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lambda-test-'));
  await writeFile(join(folder, 'index.mjs'), source);
  queues = new RecordingQueues();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rm(folder, { recursive: true, force: true });
});

describe('a function', () => {
  test('answers through the SDK with what its handler returned', async () => {
    await start();
    await addFunction('shop');
    const answer = await invoke({ do: 'echo', text: 'zażółć' });
    expect(JSON.parse(answer.Payload!.transformToString())).toEqual({ do: 'echo', text: 'zażółć' });
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(answer.FunctionError).toBeUndefined();
  });

  test('is found by name, partial ARN, ARN and alias', async () => {
    await start();
    await addFunction('shop');
    const arn = `arn:aws:lambda:eu-west-1:111122223333:function:shop`;
    for (const FunctionName of ['shop', '111122223333:function:shop', arn]) {
      expect(await answerOf({ do: 'context' }, { FunctionName })).toMatchObject({ invokedFunctionArn: arn });
    }
    const aliased = await answerOf({ do: 'context' }, { Qualifier: 'live' });
    expect(aliased).toMatchObject({ invokedFunctionArn: `${arn}:live` });
  });

  test('gets a context with a request id and the time it has left', async () => {
    await start();
    await addFunction('shop', { Timeout: 10, MemorySize: 256 });
    const context = (await answerOf({ do: 'context' })) as Record<string, unknown>;
    expect(context).toMatchObject({
      functionName: 'shop',
      functionVersion: '$LATEST',
      memoryLimitInMB: '256',
    });
    expect(context['awsRequestId']).toMatch(/^[0-9a-f-]{36}$/);
    expect(context['remaining']).toBeGreaterThan(5000);
    expect(context['remaining']).toBeLessThanOrEqual(10_000);
  });

  test('sees its own variables and those of Lambda, and none of this process', async () => {
    process.env['SECRET_OF_THE_SHELL'] = 'leaks';
    await start();
    await addFunction('shop', { Environment: { Variables: { TABLE: 'orders' } } });
    const read = (name: string) => answerOf({ do: 'env', name });
    expect(await read('TABLE')).toBe('orders');
    expect(await read('AWS_ENDPOINT_URL')).toBe('http://127.0.0.1:9');
    expect(await read('AWS_REGION')).toBe('eu-west-1');
    expect(await read('AWS_LAMBDA_FUNCTION_NAME')).toBe('shop');
    expect(await read('_HANDLER')).toBe('index.handler');
    expect(await answerOf({ do: 'envNames' })).not.toContain('SECRET_OF_THE_SHELL');
    delete process.env['SECRET_OF_THE_SHELL'];
  });

  test('keeps its thread and state from one invocation to the next', async () => {
    await start();
    await addFunction('shop');
    expect([await answerOf({ do: 'count' }), await answerOf({ do: 'count' })]).toEqual([1, 2]);
  });

  test('runs changed code after a reload', async () => {
    await start();
    await addFunction('shop');
    await answerOf({ do: 'echo' });
    await writeFile(join(folder, 'index.mjs'), `export const handler = async () => 'new code';`);
    service.reload();
    expect(await answerOf({ do: 'echo' })).toBe('new code');
  });

  test('runs one invocation per thread at a time, several side by side', async () => {
    await start();
    await addFunction('shop');
    await Promise.all([1, 2].map(() => answerOf({ do: 'nap', ms: 600 })));
    // Both threads are warm now: each has its own count.
    const answers = await Promise.all([1, 2].map(() => answerOf({ do: 'count' })));
    expect(answers).toEqual([1, 1]);
  });

  test('waits a moment for a busy thread instead of loading the function anew', async () => {
    await start();
    await addFunction('shop');
    await answerOf({ do: 'echo' });
    const answers = await Promise.all([1, 2, 3].map(() => answerOf({ do: 'count' })));
    expect(answers).toEqual([1, 2, 3]);
  });

  test('keeps what it prints, and hands the end of it to a caller who asks', async () => {
    const lines: unknown[] = [];
    await start({ log: (event, data) => void (event === 'function.output' && lines.push(data?.['line'])) });
    await addFunction('shop');
    const answer = await invoke({ do: 'print' }, { LogType: 'Tail' });
    expect(service.logs('shop')).toEqual(['a line', 'a complaint', 'raw']);
    expect(lines).toEqual(['a line', 'a complaint', 'raw']);
    expect(Buffer.from(answer.LogResult!, 'base64').toString()).toContain('a complaint');
  });

  test('may be CommonJS, also below a package.json that says otherwise', async () => {
    await rm(join(folder, 'index.mjs'));
    await writeFile(
      join(folder, 'index.js'),
      `exports.handler = async () => require('node:path').basename(__filename);`,
    );
    await start();
    await addFunction('shop');
    expect(await answerOf({})).toBe('index.js');
  });

  test('may be .js as an ES module when its own package.json says so', async () => {
    await rm(join(folder, 'index.mjs'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'index.js'), `export const handler = async () => typeof require;`);
    await start();
    await addFunction('shop');
    expect(await answerOf({})).toBe('undefined');
  });

  test('may be inline, with a callback on the runtimes that know them', async () => {
    await start();
    const ZipFile = `exports.handler = (event, context, done) => done(null, 'called back');`;
    await addFunction('shop', { Code: { ZipFile }, Runtime: 'nodejs22.x' });
    await addFunction('newer', { Code: { ZipFile } });
    expect(await answerOf({})).toBe('called back');
    const refused = await answerOf({}, { FunctionName: 'newer' });
    expect(refused).toMatchObject({ errorType: 'Runtime.CallbackHandlerDeprecated' });
  });
});

describe('a failing function', () => {
  test.each([
    ['fail', 'TypeError', 'no good'],
    ['rejectLater', 'Runtime.UnhandledPromiseRejection', 'Error: forgotten'],
    ['throwLater', 'RangeError', 'late'],
    ['exit', 'Runtime.ExitError', 'Error: Runtime exited without providing a reason'],
  ])('that does "%s" answers %s and serves the next caller', async (behaviour, errorType, errorMessage) => {
    await start();
    await addFunction('shop');
    const answer = await invoke({ do: behaviour });
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(JSON.parse(answer.Payload!.transformToString())).toMatchObject({ errorType, errorMessage });
    expect(await answerOf({ do: 'echo' })).toEqual({ do: 'echo' });
  });

  test('is ended at its timeout, its thread with it', async () => {
    await start({ functionThreads: 1 });
    await addFunction('shop', { Timeout: 1 });
    const answer = (await answerOf({ do: 'hang' })) as Record<string, unknown>;
    expect(answer['errorType']).toBe('Sandbox.Timedout');
    expect(answer['errorMessage']).toContain('Task timed out after 1.00 seconds');
    expect(await answerOf({ do: 'count' })).toBe(1);
  });

  test.each([
    ['index.missing', 'Runtime.HandlerNotFound'],
    ['nowhere.handler', 'Runtime.ImportModuleError'],
    ['index', 'Runtime.MalformedHandlerName'],
  ])('whose handler is "%s" reports %s', async (Handler, errorType) => {
    await start();
    await addFunction('shop', { Handler });
    expect(await answerOf({})).toMatchObject({ errorType });
  });

  test('that throws while loading reports that error', async () => {
    await writeFile(join(folder, 'index.mjs'), `throw new Error('no configuration');`);
    await start();
    await addFunction('shop');
    expect(await answerOf({})).toMatchObject({ errorType: 'Error', errorMessage: 'no configuration' });
  });
});

describe('the Invoke API', () => {
  test('answers 404 with the ARN for a function that does not exist', async () => {
    await start();
    await expect(invoke({})).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Function not found: arn:aws:lambda:eu-west-1:111122223333:function:shop',
    });
  });

  test('refuses a payload that is no JSON, and one too large for an event', async () => {
    await start();
    await addFunction('shop');
    await expect(invoke(null, { Payload: '{"cut' })).rejects.toMatchObject({
      name: 'InvalidRequestContentException',
    });
    const big = 'x'.repeat(1024 * 1024);
    await expect(invoke(big, { InvocationType: 'Event' })).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
    expect(await answerOf(undefined, { Payload: '{"do":"echo"}' })).toEqual({ do: 'echo' });
  });

  test('a dry run answers 204 and runs nothing', async () => {
    await start();
    await addFunction('shop');
    expect((await invoke({ do: 'count' }, { InvocationType: 'DryRun' })).StatusCode).toBe(204);
    expect(await answerOf({ do: 'count' })).toBe(1);
  });

  test('throttles above the reserved concurrency', async () => {
    await start();
    await addFunction('shop', { ReservedConcurrentExecutions: 1 });
    const first = answerOf({ do: 'nap', ms: 300 });
    const second = await Promise.allSettled([first, answerOf({ do: 'nap', ms: 300 })]);
    expect(second.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(second.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { name: 'TooManyRequestsException' },
    });
  });

  test('makes callers wait at the cap on threads, and gives idle threads to whoever needs one', async () => {
    await start({ functionThreads: 1 });
    await addFunction('shop');
    await addFunction('other');
    const answers = await Promise.all([
      answerOf({ do: 'nap', ms: 20 }),
      answerOf({ do: 'count' }, { FunctionName: 'other' }),
      answerOf({ do: 'count' }),
    ]);
    expect(answers).toEqual(['rested', 1, 1]);
  });
});

describe('an asynchronous invocation', () => {
  test('answers 202 at once and runs', async () => {
    await start();
    await addFunction('shop');
    expect((await invoke({ do: 'print' }, { InvocationType: 'Event' })).StatusCode).toBe(202);
    await service.idle();
    expect(service.logs('shop')).toContain('a line');
  });

  test('is tried three times, then its record goes to the failure destination', async () => {
    await start();
    await addFunction('shop');
    await provide('AWS::Lambda::EventInvokeConfig', 'Config', {
      FunctionName: 'shop',
      Qualifier: '$LATEST',
      DestinationConfig: { OnFailure: { Destination: queueArn } },
    });
    await invoke({ do: 'fail' }, { InvocationType: 'Event' });
    await service.idle();
    expect(queues.sent).toHaveLength(1);
    expect(queues.sent[0]!.queueArn).toBe(queueArn);
    expect(JSON.parse(queues.sent[0]!.body)).toMatchObject({
      version: '1.0',
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { do: 'fail' },
      responseContext: { functionError: 'Unhandled' },
      responsePayload: { errorType: 'TypeError', errorMessage: 'no good' },
    });
  });

  test('is tried once when told so, and the event itself goes to the dead-letter queue', async () => {
    await start();
    await addFunction('shop', { DeadLetterConfig: { TargetArn: queueArn } });
    await provide('AWS::Lambda::EventInvokeConfig', 'Config', {
      FunctionName: 'shop',
      MaximumRetryAttempts: 0,
    });
    await service.invokeAsync('shop', '{"do":"fail"}');
    await service.idle();
    expect(queues.sent).toEqual([
      {
        queueArn,
        body: '{"do":"fail"}',
        attributes: { RequestID: expect.any(String), ErrorCode: '200', ErrorMessage: 'no good' },
      },
    ]);
  });

  test('ends early when its retry would come after the maximum age', async () => {
    await start();
    await addFunction('shop');
    await provide('AWS::Lambda::EventInvokeConfig', 'Config', {
      FunctionName: 'shop',
      MaximumEventAgeInSeconds: 90,
      DestinationConfig: { OnFailure: { Destination: queueArn } },
    });
    await service.invokeAsync('shop', '{"do":"fail"}');
    await service.idle();
    expect(JSON.parse(queues.sent[0]!.body)).toMatchObject({
      requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 2 },
    });
  });

  test('waits out a throttle without spending an attempt', async () => {
    await start({ asyncRetryBaseMs: 600 });
    await addFunction('shop', { ReservedConcurrentExecutions: 1 });
    await Promise.all([1, 2, 3].map(() => service.invokeAsync('shop', '{"do":"print"}')));
    await service.idle();
    expect(service.logs('shop').filter((line) => line === 'a line')).toHaveLength(3);
  });

  test('happens twice when chaos duplicates, and is retried when chaos fails it', async () => {
    await start({ chaos: new Chaos({ seed: 7, duplicateRate: 1 }) });
    await addFunction('shop');
    await service.invokeAsync('shop', '{"do":"print"}');
    await service.idle();
    expect(service.logs('shop').filter((line) => line === 'a line')).toHaveLength(2);
  });

  test('ends in the failure destination when chaos fails every attempt', async () => {
    await start({ chaos: new Chaos({ seed: 7, failRate: 1 }) });
    await addFunction('shop', { DeadLetterConfig: { TargetArn: queueArn } });
    await service.invokeAsync('shop', '{"do":"print"}');
    await service.idle();
    expect(queues.sent).toHaveLength(1);
  });
});

describe('an event source mapping', () => {
  const message = (messageId: string, body: string): QueueMessage => {
    return { messageId, body, receiptHandle: `receipt-${messageId}`, attributes: { SentTimestamp: '1' } };
  };

  async function mapQueue(extra: Record<string, unknown> = {}): Promise<void> {
    const properties = { EventSourceArn: queueArn, FunctionName: 'shop', BatchSize: 10, ...extra };
    await provide('AWS::Lambda::EventSourceMapping', 'Mapping', properties);
  }

  test('hands messages to the function and removes them when it is done', async () => {
    await start();
    await addFunction('shop', { Environment: { Variables: { DO: 'print' } } });
    queues.waiting.push(message('one', 'first'), message('two', 'second'));
    await mapQueue();
    await queues.until(() => queues.removed.length === 2);
    expect(queues.removed.sort()).toEqual(['receipt-one', 'receipt-two']);
  });

  test('hands over attributes in the form of an event record', async () => {
    await writeFile(
      join(folder, 'index.mjs'),
      'export const handler = async (e) => console.log(JSON.stringify(e.Records[0]));',
    );
    await start();
    await addFunction('shop');
    const messageAttributes = { Kind: { DataType: 'String', StringValue: 'order' } };
    queues.waiting.push({ ...message('one', 'first'), messageAttributes });
    await mapQueue();
    await queues.until(() => queues.removed.length === 1);
    expect(JSON.parse(service.logs('shop')[0]!)).toMatchObject({
      messageId: 'one',
      body: 'first',
      attributes: { SentTimestamp: '1' },
      messageAttributes: { Kind: { dataType: 'String', stringValue: 'order', stringListValues: [] } },
      md5OfBody: '8b04d5e3775d298e78455efc5ca404d5',
      eventSource: 'aws:sqs',
      eventSourceARN: queueArn,
      awsRegion: 'eu-west-1',
    });
  });

  test('leaves those messages in the queue that a partial answer names', async () => {
    await start();
    await addFunction('shop', { Environment: { Variables: { DO: 'partial' } } });
    queues.waiting.push(message('one', 'good'), message('two', 'bad'), message('three', 'good'));
    await mapQueue({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    await queues.until(() => queues.removed.length === 2);
    expect(queues.removed.sort()).toEqual(['receipt-one', 'receipt-three']);
  });

  test('leaves the whole batch in the queue when the function fails', async () => {
    const events: string[] = [];
    let wake = (): void => undefined;
    const failed = new Promise<void>((resolve) => (wake = resolve));
    await start({
      log: (event) => (events.push(event), event === 'eventSource.batchFailed' && wake(), undefined),
    });
    await addFunction('shop', { Environment: { Variables: { DO: 'fail' } } });
    queues.waiting.push(message('one', 'first'));
    await mapQueue();
    await failed;
    expect(queues.removed).toEqual([]);
  });
});

test.each([
  ['Runtime', { Runtime: 'python3.13' }],
  ['Layers', { Layers: ['arn:aws:lambda:eu-west-1:1:layer:x:1'] }],
  ['Code', { Code: { S3Key: 'unknown.zip' } }],
  ['Timeout', { Timeout: 901 }],
  ['DeadLetterConfig', { DeadLetterConfig: { TargetArn: 'arn:aws:sns:eu-west-1:1:topic' } }],
])('a function whose %s cannot be honoured is refused by name', async (property, properties) => {
  await start();
  await expect(addFunction('shop', properties)).rejects.toThrow(new RegExp(`Shop/shop .*${property}`));
});
