/** The functions of the task API as they are deployed: real adapters, against servers of this process. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { ENV, taskSchema, taskListSchema, createFileResponseSchema } from '../shared-types/index.ts';
import type { OperationId } from '../shared-types/api-routes.ts';
import { apiEvent, type ApiCall } from '../functions/adapters/test-support/api-event.ts';
import { startAwsServer, type AwsServer } from '../functions/adapters/test-support/aws-server.ts';
import { startTable, type TestTable } from '../functions/adapters/test-support/dynalite-table.ts';
import { startS3Server, type S3Server } from '../functions/adapters/test-support/s3-server.ts';
import { handler as changeTask } from '../functions/change-task/handler.ts';
import { handler as controlQueue } from '../functions/control-queue/handler.ts';
import { handler as createFile } from '../functions/create-file/handler.ts';
import { handler as getTask } from '../functions/get-task/handler.ts';
import { handler as listTasks } from '../functions/list-tasks/handler.ts';
import { handler as manageWorkers } from '../functions/manage-workers/handler.ts';
import { handler as storeWorkflow } from '../functions/store-workflow/handler.ts';
import { handler as submitTask } from '../functions/submit-task/handler.ts';

jest.setTimeout(60_000);

let table: TestTable;
let s3: S3Server;
let bus: AwsServer;
const changed = new Map<string, string | undefined>();

beforeAll(async () => {
  table = await startTable();
  s3 = await startS3Server();
  bus = await startAwsServer(() => ({
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
    body: '{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}',
  }));
  const environment = {
    AWS_ENDPOINT_URL_EVENTBRIDGE: bus.url,
    [ENV.tableName]: table.table.tableName,
    [ENV.workflowBucketName]: 'workflows',
    [ENV.uploadBucketName]: 'uploads',
    [ENV.maxRunningPerUser]: '20',
    [ENV.eventBusName]: 'bus',
    [ENV.outboundAddressPolicy]: 'public',
    [ENV.workerAddressPolicy]: 'any',
    [ENV.webSocketApiEndpoint]: 'ws://127.0.0.1:1/live',
  };
  for (const [name, value] of Object.entries(environment)) {
    changed.set(name, process.env[name]);
    process.env[name] = value;
  }
});
afterAll(async () => {
  for (const [name, value] of changed) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await Promise.all([table.stop(), s3.stop(), bus.stop()]);
});

const handlers = {
  submitTask,
  retryTask: submitTask,
  getTask,
  getTimeline: getTask,
  listTasks,
  getMetrics: listTasks,
  changeTask,
  cancelTask: changeTask,
  getQueue: controlQueue,
  pauseQueue: controlQueue,
  listWorkers: manageWorkers,
  drainWorker: manageWorkers,
  createFile,
  putWorkflow: storeWorkflow,
  getWorkflow: storeWorkflow,
  listWorkflows: storeWorkflow,
  deleteWorkflow: storeWorkflow,
} as const satisfies Partial<Record<OperationId, typeof getTask>>;

const call = async (operation: keyof typeof handlers, request: ApiCall = {}) => {
  const { statusCode: status, body: text = '' } = await handlers[operation](apiEvent(operation, request));
  return { status, text, json: (text === '' ? undefined : JSON.parse(text)) as unknown };
};
const idOf = ({ json }: { readonly json: unknown }): string => (json as { id: string }).id;

const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615,"image":"a.png"}}}';

test('a task is submitted, found, listed, moved, cancelled and retried', async () => {
  const headers = { 'idempotency-key': 'order 1' };
  const body = `{"workflow_id":"w","payload":${WORKFLOW}}`;
  const submitted = await call('submitTask', { body, headers });
  expect(submitted.status).toBe(201);
  expect(await call('submitTask', { body, headers })).toEqual(submitted);
  const pathParameters = { id: idOf(submitted) };
  const found = await call('getTask', { pathParameters });
  expect(found.text).toContain(`"payload":${WORKFLOW}`);
  expect(taskSchema.parse(found.json)).toMatchObject({ status: 'pending', queue_position: 1 });
  expect((await call('getTimeline', { pathParameters })).status).toBe(200);
  const { tasks } = taskListSchema.parse((await call('listTasks')).json);
  expect(tasks).toMatchObject([{ id: pathParameters.id, priority: 5 }]);
  expect(await call('changeTask', { pathParameters, body: '{"priority":9}' })).toMatchObject({
    status: 200,
    json: { priority: 9 },
  });
  expect((await call('getMetrics')).json).toMatchObject({ queue: { pending_tasks: 1 } });
  expect((await call('cancelTask', { pathParameters })).json).toMatchObject({ status: 'cancelled' });
  expect(taskSchema.parse((await call('getTask', { pathParameters })).json).queue_position).toBeNull();
  const again = await call('retryTask', { pathParameters });
  expect(again.status).toBe(201);
  const retried = await call('getTask', { pathParameters: { id: idOf(again) } });
  expect(retried.json).toMatchObject({ retry_of: pathParameters.id, priority: 9, queue_position: 1 });
});

test('a stored workflow runs with an uploaded file', async () => {
  const workflow = `{"workflow":${WORKFLOW},"parameters":{"picture":"3.inputs.image"}}`;
  const pathParameters = { id: 'portrait' };
  expect((await call('putWorkflow', { pathParameters, body: workflow })).status).toBe(201);
  expect((await call('getWorkflow', { pathParameters })).text).toContain(`"workflow":${WORKFLOW}`);
  const ticket = await call('createFile', {
    body: '{"filename":"ünï.png","content_type":"image/png","size":3}',
  });
  const { file_id, upload_url, headers } = createFileResponseSchema.parse(ticket.json);
  const body = JSON.stringify({ workflow_id: 'portrait', inputs: { picture: { file_id } } });
  expect((await call('submitTask', { body })).status).toBe(404);
  expect((await fetch(upload_url, { method: 'PUT', headers, body: 'png' })).status).toBe(200);
  expect((await call('submitTask', { body })).status).toBe(201);
  expect((await call('listWorkflows')).json).toMatchObject({ workflows: [{ id: 'portrait' }] });
  expect((await call('deleteWorkflow', { pathParameters })).status).toBe(204);
  expect((await call('submitTask', { body })).status).toBe(400);
});

test('the queue and the workers are looked at and controlled', async () => {
  expect((await call('getQueue')).json).toEqual({ paused: false, all_paused: false });
  expect((await call('pauseQueue')).json).toEqual({ paused: true, all_paused: false });
  expect((await call('pauseQueue', { body: '{"scope":"all"}' })).json).toMatchObject({ all_paused: true });
  expect((await call('listWorkers')).json).toEqual({ workers: [] });
  expect((await call('drainWorker', { pathParameters: { id: 'pod-1' } })).status).toBe(404);
});
