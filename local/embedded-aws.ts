import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiGatewayService } from './api-gateway/api-gateway-service.ts';
import { CloudFrontService } from './cloudfront/cloudfront-service.ts';
import type { AwsPlace, Log } from './contract.ts';
import { lockDataDirectory } from './data-lock.ts';
import { DynamoDbService } from './dynamodb/dynamodb-service.ts';
import { EventBridgeService } from './eventbridge/event-bridge-service.ts';
import type { CallCount, CallerCount } from './front-door/call-counter.ts';
import { Chaos } from './front-door/chaos.ts';
import type { ChaosOptions } from './front-door/chaos.ts';
import { FrontDoor } from './front-door/front-door.ts';
import { LambdaService } from './lambda/lambda-service.ts';
import { S3Service } from './s3/s3-service.ts';
import { SqsService } from './sqs/sqs-service.ts';
import { loadCloudAssembly } from './template/cloud-assembly.ts';
import type { CloudAssembly } from './template/cloud-assembly.ts';
import { deployAssembly } from './template/deploy-assembly.ts';
import type { DeployedResource, Deployment } from './template/deploy-assembly.ts';

export interface EmbeddedAwsOptions {
  /** Path of `cdk.out`. */
  readonly assembly: string;
  /** Keeps tables, objects, messages and archives for the next start; without it everything goes at the end. */
  readonly dataDir?: string;
  /** Port of the endpoint on 127.0.0.1. Default: any free one. */
  readonly port?: number;
  /** Port by the `Name` property of an API. Default: any free one. */
  readonly apiPorts?: Readonly<Record<string, number>>;
  /** Port by the `Comment` of a CloudFront distribution. Default: any free one. */
  readonly distributionPorts?: Readonly<Record<string, number>>;
  /** Makes calls and deliveries fail, come twice, late or in another order. Default: none of it. */
  readonly chaos?: ChaosOptions;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Twelve digits. Default `000000000000`. */
  readonly accountId?: string;
  readonly log?: Log;
  /** Threads of all functions together. Default 32. */
  readonly functionThreads?: number;
  /** Milliseconds before the first retry of an asynchronous invocation or a delivery. Default 1000; on AWS a minute. */
  readonly asyncRetryBaseMs?: number;
  /** 1 is real time; 60 lets schedules pass an hour in a minute. */
  readonly scheduleScale?: number;
}

export interface EmbeddedAws {
  /** For `AWS_ENDPOINT_URL`: `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  /** Output values by stack name, then output name. */
  readonly outputs: Deployment['outputs'];
  resources(): readonly DeployedResource[];
  /** Every AWS call since the start or the last reset. */
  calls(): readonly CallCount[];
  /** The same, by who called: a function's name, or nothing for others. */
  callsByCaller(): readonly CallerCount[];
  resetCalls(): void;
  /** The newest lines that a function printed, by its name. Throws when there is no such function. */
  functionLogs(functionName: string): readonly string[];
  /** From now on functions run the code that now lies in their asset directories. */
  reloadFunctions(): void;
  /** Resolves when no asynchronous invocation, EventBridge delivery or batch of a queue is under way. */
  idle(): Promise<void>;
  /** Frees every port, thread, timer and file. Idempotent. */
  close(): Promise<void>;
}

interface Services {
  readonly frontDoor: FrontDoor;
  readonly lambda: LambdaService;
  readonly events: EventBridgeService;
  readonly apiGateway: ApiGatewayService;
  readonly cloudFront: CloudFrontService;
  readonly sqs: SqsService;
  readonly s3: S3Service;
  readonly dynamoDb: DynamoDbService;
}

type Cleanup = () => void | Promise<void>;

/** Runs a synthesized CDK application on this machine. Rejects with `EmbeddedAwsError`, nothing left running. */
export async function startEmbeddedAws(options: EmbeddedAwsOptions): Promise<EmbeddedAws> {
  const assembly = await loadCloudAssembly(options.assembly);
  const cleanups: Cleanup[] = [];
  const close = closeOnce(cleanups, options.log);
  try {
    return await start(options, assembly, cleanups, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: EmbeddedAwsOptions,
  assembly: CloudAssembly,
  cleanups: Cleanup[],
  close: () => Promise<void>,
): Promise<EmbeddedAws> {
  const { region = 'us-east-1', accountId = '000000000000', log = () => undefined } = options;
  const place = { region, accountId };
  const dataDir = await dataDirectory(options, cleanups);
  const services = createServices(options, { place, log, dataDir, assembly });
  const { frontDoor, lambda, events } = services;
  cleanups.push(...closing(services));
  await frontDoor.listen();
  const { resources, outputs } = await deployAssembly(assembly, {
    place,
    log,
    providers: providersOf(services),
  });
  return {
    endpoint: frontDoor.endpoint,
    region,
    accountId,
    outputs,
    resources: () => resources,
    calls: () => frontDoor.calls(),
    callsByCaller: () => frontDoor.callsByCaller(),
    resetCalls: () => frontDoor.resetCalls(),
    functionLogs: (functionName) => lambda.logs(functionName),
    reloadFunctions: () => lambda.reload(),
    idle: () => untilQuiet(events, lambda),
    close,
  };
}

async function dataDirectory({ dataDir }: EmbeddedAwsOptions, cleanups: Cleanup[]): Promise<string> {
  if (dataDir !== undefined) {
    cleanups.push(lockDataDirectory(dataDir));
    return dataDir;
  }
  const temporary = await mkdtemp(join(tmpdir(), 'embedded-aws-'));
  cleanups.push(() => rm(temporary, { recursive: true, force: true }));
  return temporary;
}

interface Surroundings {
  readonly place: AwsPlace;
  readonly log: Log;
  readonly dataDir: string;
  readonly assembly: CloudAssembly;
}

function createServices(
  options: EmbeddedAwsOptions,
  { place, log, dataDir, assembly }: Surroundings,
): Services {
  const folder = (name: string): { dataDir?: string } => {
    return options.dataDir === undefined ? {} : { dataDir: join(dataDir, name) };
  };
  const chaos = new Chaos(options.chaos);
  const frontDoor = new FrontDoor({ chaos, log, ...given('port', options.port) });
  const endpoint = (): string => frontDoor.endpoint;
  const sqs = new SqsService({ place, endpoint, log, ...folder('sqs') });
  const s3 = new S3Service({ place, log, dataDir: join(dataDir, 's3') });
  const lambda = new LambdaService({
    place,
    endpoint,
    log,
    chaos,
    queues: sqs,
    assets: assembly.assets,
    ...given('functionThreads', options.functionThreads),
    ...given('asyncRetryBaseMs', options.asyncRetryBaseMs),
  });
  const events = new EventBridgeService({
    place,
    log,
    chaos,
    queues: sqs,
    invoker: lambda,
    ...folder('eventbridge'),
    ...given('scheduleScale', options.scheduleScale),
    ...given('deliveryRetryBaseMs', options.asyncRetryBaseMs),
  });
  const apiGateway = new ApiGatewayService({
    place,
    log,
    invoker: lambda,
    ...given('ports', options.apiPorts),
  });
  const cloudFront = new CloudFrontService({
    place,
    log,
    s3,
    apiAt: (domain) => apiGateway.endpoints().find((api) => api.endpoint === `http://${domain}`)?.endpoint,
    ports: options.distributionPorts,
  });
  const dynamoDb = new DynamoDbService({ place, log, ...folder('dynamodb') });
  for (const service of [sqs, s3, lambda, events, apiGateway, dynamoDb]) frontDoor.add(service);
  return { frontDoor, lambda, events, apiGateway, cloudFront, sqs, s3, dynamoDb };
}

/** `{ [name]: value }`, or nothing when the value is not given. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [Key in Name]?: Value });
}

function providersOf({ lambda, events, apiGateway, cloudFront, sqs, s3, dynamoDb }: Services) {
  const all = [lambda, events, apiGateway, cloudFront, sqs, s3, dynamoDb];
  return Object.assign({}, ...all.map(({ providers }) => providers)) as LambdaService['providers'];
}

/** In reverse: first what starts work, then the endpoint that the work needs, the stores at the end. */
function closing({
  frontDoor,
  lambda,
  events,
  apiGateway,
  cloudFront,
  sqs,
  s3,
  dynamoDb,
}: Services): Cleanup[] {
  const order = [events, apiGateway, cloudFront, lambda, frontDoor, sqs, s3, dynamoDb];
  return order.toReversed().map((part) => () => part.close());
}

/** Runs the cleanups once, the last one first; one that fails is logged and does not keep the others. */
function closeOnce(cleanups: readonly Cleanup[], log: Log | undefined): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    for (const cleanup of cleanups.toReversed()) {
      try {
        await cleanup();
      } catch (error) {
        log?.('close.failed', { error: String(error) });
      }
    }
  };
  return () => (closed ??= run());
}

/** A function may send events and an event may start functions, so both must be quiet at the same time. */
async function untilQuiet(events: EventBridgeService, lambda: LambdaService): Promise<void> {
  do {
    await events.idle();
    await lambda.idle();
    await events.idle();
  } while (!lambda.quiet);
}
