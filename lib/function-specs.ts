/**
 * What each function is given and may do. One row a function: the constructs turn rows into resources, so a
 * permission that is not written here does not exist.
 */
import type { EventConsumer } from '../shared-types/event-catalogue.ts';
import type { ENV } from '../shared-types/env-names.ts';

/** The functions that API Gateway calls. */
export type RequestFunction =
  'submit-task' | 'get-task' | 'connect' | 'disconnect' | 'subscribe' | 'authorize-connection';
/** Named as the folders in `functions/`. */
export type FunctionName = EventConsumer | RequestFunction;
export type EnvKey = keyof typeof ENV;

export interface FunctionSpec {
  /** 1–900; 29 behind HTTP, so that the function answers before API Gateway gives up at 30. */
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  /** Keys of `ENV`; every function gets `stage` besides. */
  readonly env: readonly EnvKey[];
  /** IAM actions without the `dynamodb:` prefix, on the one table. */
  readonly tableActions: readonly string[];
  /** IAM actions without the `s3:` prefix, on the objects of the media bucket. */
  readonly mediaActions?: readonly string[];
  /** IAM actions without the `s3:` prefix, on the objects of the workflow bucket. */
  readonly workflowActions?: readonly string[];
  /** May publish on the bus, as `comfyui.pipeline` and nobody else. */
  readonly publishes?: true;
  /** May send to connections of the live API. */
  readonly pushes?: true;
}

const eventFunctions: Readonly<Record<EventConsumer, FunctionSpec>> = {
  'monitor-init': {
    timeoutSeconds: 30,
    memoryMb: 256,
    env: ['tableName', 'workerAddressPolicy'],
    tableActions: ['UpdateItem'],
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
    timeoutSeconds: 120,
    memoryMb: 512,
    env: ['tableName', 'workflowBucketName', 'eventBusName', 'webSocketApiEndpoint', 'workerAddressPolicy'],
    tableActions: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'],
    workflowActions: ['GetObject'],
    publishes: true,
    pushes: true,
  },
  'task-metrics': { timeoutSeconds: 30, memoryMb: 256, env: [], tableActions: [] },
};

const requestFunctions: Readonly<Record<RequestFunction, FunctionSpec>> = {
  'submit-task': {
    // A body of 4 MB is parsed here: memory buys the processor for it.
    timeoutSeconds: 29,
    memoryMb: 1024,
    env: ['tableName', 'workflowBucketName', 'eventBusName'],
    tableActions: ['PutItem'],
    workflowActions: ['PutObject'],
    publishes: true,
  },
  'get-task': {
    timeoutSeconds: 29,
    memoryMb: 512,
    env: ['tableName', 'workflowBucketName'],
    tableActions: ['GetItem', 'Query'],
    workflowActions: ['GetObject'],
  },
  connect: { timeoutSeconds: 10, memoryMb: 256, env: ['tableName'], tableActions: ['PutItem'] },
  disconnect: {
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['tableName'],
    tableActions: ['GetItem', 'UpdateItem', 'DeleteItem'],
  },
  subscribe: {
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['tableName', 'webSocketApiEndpoint'],
    // The snapshot of an ended job lists its outputs, which Query finds.
    tableActions: ['GetItem', 'UpdateItem', 'Query'],
    pushes: true,
  },
  'authorize-connection': {
    timeoutSeconds: 10,
    memoryMb: 256,
    env: ['jwtIssuer', 'jwtAudience'],
    tableActions: [],
  },
};

export const functionSpecs: Readonly<Record<FunctionName, FunctionSpec>> = {
  ...eventFunctions,
  ...requestFunctions,
};
export const eventFunctionNames = Object.keys(eventFunctions) as readonly EventConsumer[];
export const functionNames = Object.keys(functionSpecs) as readonly FunctionName[];
