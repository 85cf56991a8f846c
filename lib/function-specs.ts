/**
 * What each function is given and may do. One row a function: the constructs turn rows into resources, so a
 * permission that is not written here does not exist.
 */
import type { ApiFunction } from '../shared-types/api-routes.ts';
import type { EventConsumer } from '../shared-types/event-catalogue.ts';
import type { ENV } from '../shared-types/env-names.ts';

/** The functions that API Gateway calls. */
export type RequestFunction = ApiFunction | 'authorize-request' | 'connect' | 'disconnect' | 'subscribe';
/** The functions that the bus or a schedule invokes, asynchronously: they end in a dead-letter queue. */
export type AsyncFunction = keyof (typeof eventFunctions & typeof scheduledFunctions);
/** The functions that monitors invoke directly, on stages that allow it. */
export type MonitorFunction = 'push-preview';
/** Named as the folders in `functions/`. */
export type FunctionName = AsyncFunction | RequestFunction | MonitorFunction;
export type EnvKey = keyof typeof ENV;
export type TableIndex = 'by-user' | 'by-due';

export interface FunctionSpec {
  /** 1–900; 29 behind HTTP, so that the function answers before API Gateway gives up at 30. */
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  /** Keys of `ENV`; every function gets `stage` besides. */
  readonly env: readonly EnvKey[];
  /** IAM actions without the `dynamodb:` prefix, on the one table. */
  readonly tableActions: readonly string[];
  /** Indexes of the table that it may query. */
  readonly indexes?: readonly TableIndex[];
  /** IAM actions without the `s3:` prefix, on the objects of the media bucket. */
  readonly mediaActions?: readonly string[];
  /** IAM actions without the `s3:` prefix, on the objects of the workflow bucket. */
  readonly workflowActions?: readonly string[];
  /** IAM actions without the `s3:` prefix, on the objects of the upload bucket. */
  readonly uploadActions?: readonly string[];
  /** May read the keys of the providers, where a stage has any. */
  readonly readsProviderSecret?: true;
  /** May run, see and stop tasks of ECS, where a pool of the stage is of it. */
  readonly launchesWorkers?: true;
  /** May see and stop tasks of ECS, in every cluster that a pool or `workerProviders` names. */
  readonly endsWorkers?: true;
  /** Whole minutes from one scheduled call to the next. */
  readonly everyMinutes?: number;
  /** May publish on the bus, as `comfyui.pipeline` and nobody else. */
  readonly publishes?: true;
  /** May send to connections of the live API. */
  readonly pushes?: true;
}

const eventFunctions: Readonly<Record<EventConsumer, FunctionSpec>> = {
  'monitor-init': {
    // Reads up to 32 MB of /object_info, and waits for a ComfyUI that has just started.
    timeoutSeconds: 150,
    memoryMb: 1024,
    env: ['tableName', 'workflowBucketName', 'workerAddressPolicy'],
    tableActions: ['GetItem', 'UpdateItem', 'Query'],
    workflowActions: ['PutObject'],
  },
  'monitor-stopped': {
    timeoutSeconds: 30,
    memoryMb: 256,
    env: ['tableName'],
    tableActions: ['UpdateItem'],
  },
  'job-start': {
    timeoutSeconds: 30,
    memoryMb: 256,
    env: ['tableName', 'webSocketApiEndpoint'],
    tableActions: ['GetItem', 'UpdateItem'],
    pushes: true,
  },
  'job-progress': {
    timeoutSeconds: 30,
    memoryMb: 256,
    env: ['tableName', 'webSocketApiEndpoint'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem'],
    pushes: true,
  },
  'job-completion': {
    // Copies the files of a job, videos included, from the worker to S3.
    timeoutSeconds: 900,
    memoryMb: 512,
    env: [
      'tableName',
      'mediaBucketName',
      'cdnUrl',
      'eventBusName',
      'webSocketApiEndpoint',
      'workerAddressPolicy',
      'storeTempOutputs',
    ],
    tableActions: ['DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'],
    mediaActions: ['GetObject', 'PutObject', 'AbortMultipartUpload'],
    publishes: true,
    pushes: true,
  },
  'job-failure': {
    timeoutSeconds: 30,
    memoryMb: 256,
    env: ['tableName', 'eventBusName', 'webSocketApiEndpoint'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'],
    publishes: true,
    pushes: true,
  },
  dispatch: {
    // Waits a minute for a retry, serves the queue for another, and may then be busy with the files of its last job.
    timeoutSeconds: 300,
    memoryMb: 1024,
    env: [
      'tableName',
      'workflowBucketName',
      'uploadBucketName',
      'eventBusName',
      'webSocketApiEndpoint',
      'workerAddressPolicy',
      'outboundAddressPolicy',
      'prefetchDepth',
      'workerLeaseSeconds',
      'maxRunningPerUser',
    ],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
    indexes: ['by-due'],
    workflowActions: ['GetObject'],
    uploadActions: ['GetObject'],
    everyMinutes: 1,
    publishes: true,
    pushes: true,
  },
  'task-metrics': { timeoutSeconds: 30, memoryMb: 256, env: [], tableActions: [] },
  'deliver-callbacks': {
    timeoutSeconds: 120,
    memoryMb: 256,
    env: ['tableName', 'outboundAddressPolicy'],
    tableActions: ['GetItem', 'PutItem', 'Query'],
    indexes: ['by-due'],
    everyMinutes: 1,
  },
};

/** The functions that nothing but their schedule wakes: each has `everyMinutes`. */
const scheduledFunctions = {
  'scale-workers': {
    // Providers answer in at most 30 s each: lists first, then launches, each with failover.
    timeoutSeconds: 120,
    memoryMb: 512,
    env: [
      'tableName',
      'workflowBucketName',
      'eventBusName',
      'workerPools',
      'providerSecretArn',
      'maxRunningPerUser',
      'previewFunctionName',
    ],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
    // What pods can run.
    workflowActions: ['GetObject'],
    readsProviderSecret: true,
    launchesWorkers: true,
    everyMinutes: 1,
  },
  'reap-workers': {
    timeoutSeconds: 300,
    memoryMb: 256,
    // No table and no bus: leases end whatever else is down.
    env: ['workerPools', 'workerProviders', 'providerSecretArn'],
    tableActions: [],
    readsProviderSecret: true,
    endsWorkers: true,
    everyMinutes: 5,
  },
} as const satisfies Readonly<Record<string, FunctionSpec>>;

/** Of a function that reads and writes a few items. */
const small = { timeoutSeconds: 29, memoryMb: 256 } as const;

const requestFunctions: Readonly<Record<RequestFunction, FunctionSpec>> = {
  'submit-task': {
    // A workflow of 10 MB is parsed here: memory buys the processor for it.
    timeoutSeconds: 29,
    memoryMb: 1024,
    env: ['tableName', 'workflowBucketName', 'uploadBucketName', 'eventBusName', 'outboundAddressPolicy'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
    workflowActions: ['GetObject', 'PutObject'],
    uploadActions: ['GetObject'],
    publishes: true,
  },
  'get-task': {
    timeoutSeconds: 29,
    memoryMb: 512,
    env: ['tableName', 'workflowBucketName', 'maxRunningPerUser'],
    tableActions: ['GetItem', 'Query'],
    workflowActions: ['GetObject'],
  },
  'list-tasks': {
    ...small,
    env: ['tableName'],
    tableActions: ['GetItem', 'Query'],
    indexes: ['by-user'],
  },
  'change-task': {
    ...small,
    env: ['tableName', 'eventBusName', 'webSocketApiEndpoint', 'workerAddressPolicy'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
    publishes: true,
    pushes: true,
  },
  'control-queue': {
    ...small,
    env: ['tableName', 'eventBusName'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'Query'],
    publishes: true,
  },
  'manage-workers': {
    ...small,
    env: ['tableName', 'eventBusName'],
    tableActions: ['GetItem', 'UpdateItem', 'Query'],
    publishes: true,
  },
  'create-file': { ...small, env: ['uploadBucketName'], tableActions: [], uploadActions: ['PutObject'] },
  'store-workflow': {
    timeoutSeconds: 29,
    memoryMb: 1024,
    env: ['tableName'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
  },
  'issue-credentials': {
    ...small,
    env: ['tableName', 'webSocketApiEndpoint'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'Query'],
  },
  'callback-log': {
    ...small,
    env: ['tableName', 'outboundAddressPolicy'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'Query'],
  },
  'api-reference': { ...small, env: [], tableActions: [] },
  'authorize-request': {
    timeoutSeconds: 10,
    // Signatures are checked here, for each request: memory buys the processor for it.
    memoryMb: 512,
    env: ['tableName', 'openAccess', 'jwtIssuer', 'jwtAudience'],
    tableActions: ['GetItem'],
  },
  connect: {
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['tableName', 'openAccess'],
    tableActions: ['PutItem', 'DeleteItem'],
  },
  disconnect: {
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['tableName'],
    tableActions: ['GetItem', 'UpdateItem', 'DeleteItem'],
  },
  subscribe: {
    // Reads what a snapshot tells of nodes, queue and workers; API Gateway waits 29 s.
    timeoutSeconds: 25,
    memoryMb: 256,
    env: ['tableName', 'webSocketApiEndpoint'],
    // The snapshot of an ended job lists its outputs, which Query finds.
    tableActions: ['GetItem', 'UpdateItem', 'Query'],
    pushes: true,
  },
};

const monitorFunctions: Readonly<Record<MonitorFunction, FunctionSpec>> = {
  'push-preview': {
    // A monitor waits for the answer, and gives up after five seconds.
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['tableName', 'webSocketApiEndpoint'],
    tableActions: ['GetItem', 'UpdateItem'],
    pushes: true,
  },
};

export const functionSpecs: Readonly<Record<FunctionName, FunctionSpec>> = {
  ...eventFunctions,
  ...scheduledFunctions,
  ...requestFunctions,
  ...monitorFunctions,
};
export const asyncFunctionNames = Object.keys({
  ...eventFunctions,
  ...scheduledFunctions,
}) as readonly AsyncFunction[];
export const functionNames = Object.keys(functionSpecs) as readonly FunctionName[];
