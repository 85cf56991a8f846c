/**
 * The one place where the routes of the task API are written. The HTTP API, the scope checks and the OpenAPI
 * document are generated from it.
 */
import * as z from 'zod';
import * as api from './task-api.ts';

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What a caller must be allowed; `none` is for what says nothing about anybody. */
export type RouteScope = 'tasks:read' | 'tasks:write' | 'workers:read' | 'keys:write' | 'admin' | 'none';

/** The functions behind the task API, named as their folders in `functions/`. */
export type ApiFunction =
  | 'submit-task'
  | 'get-task'
  | 'list-tasks'
  | 'change-task'
  | 'control-queue'
  | 'manage-workers'
  | 'create-file'
  | 'store-workflow'
  | 'issue-credentials'
  | 'callback-log'
  | 'api-reference';

export interface ApiRoute {
  readonly method: ApiMethod;
  /** Below `/api/v1`. */
  readonly path: string;
  readonly function: ApiFunction;
  readonly scope: RouteScope;
  readonly summary: string;
  readonly query?: z.ZodObject;
  /** Request headers that mean something to it, and what. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly request?: z.ZodType;
  /** Success statuses and their bodies; undefined is no body, or one that is no JSON. */
  readonly responses: Readonly<Record<number, z.ZodType | undefined>>;
  /** Besides 401, 403 and 500, which every route may answer. */
  readonly errors: readonly (400 | 404 | 409 | 413 | 422 | 429 | 503)[];
}

export const API_PREFIX = '/api/v1';

/** Query of GET and DELETE below /api/v1/keys. */
export const keyQuerySchema = z.looseObject({
  user_id: z
    .string()
    .min(1, 'user_id must not be empty')
    .max(128, 'user_id must be at most 128 characters')
    .optional()
    .describe('Whose keys; another than the caller is for admins.'),
});

const idempotencyKey = {
  'Idempotency-Key':
    'Any text that you make up for this task: sent again with it, the answer is the first one.',
};

/** Answer of GET /api/v1/workflows/{id}. */
export const storedWorkflowTextSchema = api.storedWorkflowSchema.extend(api.putWorkflowSchema.shape);

/** By `operationId`. */
export const apiRoutes = {
  submitTask: {
    method: 'POST',
    path: '/tasks',
    function: 'submit-task',
    scope: 'tasks:write',
    summary:
      'Queue a workflow. `payload` is an API-format workflow; without it, `workflow_id` names a stored one. An `Idempotency-Key` header makes a repetition answer the first task.',
    headers: {
      ...idempotencyKey,
      'Content-Encoding': '`gzip` for a compressed body.',
    },
    request: api.submitTaskFieldsSchema,
    responses: { 201: api.submitTaskResponseSchema },
    errors: [400, 404, 409, 413, 429],
  },
  listTasks: {
    method: 'GET',
    path: '/tasks',
    function: 'list-tasks',
    scope: 'tasks:read',
    summary: 'Your tasks, newest first.',
    query: api.taskListQuerySchema,
    responses: { 200: api.taskListSchema },
    errors: [400],
  },
  getTask: {
    method: 'GET',
    path: '/tasks/{id}',
    function: 'get-task',
    scope: 'tasks:read',
    summary: 'One task, with progress, outputs and attempts.',
    responses: { 200: api.taskSchema },
    errors: [404],
  },
  changeTask: {
    method: 'PATCH',
    path: '/tasks/{id}',
    function: 'change-task',
    scope: 'tasks:write',
    summary: 'Change the priority of a pending task.',
    request: api.changeTaskSchema,
    responses: { 200: api.taskSummarySchema },
    errors: [400, 404, 409],
  },
  cancelTask: {
    method: 'DELETE',
    path: '/tasks/{id}',
    function: 'change-task',
    scope: 'tasks:write',
    summary:
      'Cancel a task. 200: it is cancelled. 202: ComfyUI was asked, and the task is cancelled once that is certain.',
    responses: { 200: api.taskSummarySchema, 202: api.taskSummarySchema },
    errors: [404, 409],
  },
  retryTask: {
    method: 'POST',
    path: '/tasks/{id}/retry',
    function: 'submit-task',
    scope: 'tasks:write',
    summary: 'Queue an ended task again, as a new task with the same workflow.',
    headers: idempotencyKey,
    responses: { 201: api.submitTaskResponseSchema },
    errors: [404, 409],
  },
  getTimeline: {
    method: 'GET',
    path: '/tasks/{id}/timeline',
    function: 'get-task',
    scope: 'tasks:read',
    summary: 'What happened to a task: its attempts, and the nodes of each with their times.',
    responses: { 200: api.timelineSchema },
    errors: [404],
  },
  listCallbacks: {
    method: 'GET',
    path: '/tasks/{id}/callbacks',
    function: 'callback-log',
    scope: 'tasks:read',
    summary: 'What was delivered to the callback URL of a task.',
    responses: { 200: api.callbackListSchema },
    errors: [404],
  },
  redeliverCallback: {
    method: 'POST',
    path: '/tasks/{id}/callbacks/redeliver',
    function: 'callback-log',
    scope: 'tasks:write',
    summary: 'Deliver the end of a task to its callback URL once more, now.',
    responses: { 202: api.callbackListSchema },
    errors: [404, 409],
  },
  getCallbackSecret: {
    method: 'GET',
    path: '/callback-secret',
    function: 'callback-log',
    scope: 'keys:write',
    summary: 'The secret that signs your callbacks; made on the first call.',
    responses: { 200: api.callbackSecretSchema },
    errors: [],
  },
  rotateCallbackSecret: {
    method: 'POST',
    path: '/callback-secret/rotate',
    function: 'callback-log',
    scope: 'keys:write',
    summary: 'A new secret. For 24 hours callbacks carry the signatures of both.',
    responses: { 200: api.callbackSecretSchema },
    errors: [],
  },
  getMetrics: {
    method: 'GET',
    path: '/metrics',
    function: 'list-tasks',
    scope: 'tasks:read',
    summary: 'Your tasks by state, and the workers by state.',
    responses: { 200: api.metricsSchema },
    errors: [],
  },
  getQueue: {
    method: 'GET',
    path: '/queue',
    function: 'control-queue',
    scope: 'tasks:read',
    summary: 'Whether your queue, or every queue, is paused.',
    responses: { 200: api.queueStateSchema },
    errors: [],
  },
  pauseQueue: {
    method: 'POST',
    path: '/queue/pause',
    function: 'control-queue',
    scope: 'tasks:write',
    summary: 'Start no further tasks; what runs goes on.',
    request: api.queueControlSchema,
    responses: { 200: api.queueStateSchema },
    errors: [400],
  },
  resumeQueue: {
    method: 'POST',
    path: '/queue/resume',
    function: 'control-queue',
    scope: 'tasks:write',
    summary: 'Start tasks again.',
    request: api.queueControlSchema,
    responses: { 200: api.queueStateSchema },
    errors: [400],
  },
  listWorkers: {
    method: 'GET',
    path: '/workers',
    function: 'manage-workers',
    scope: 'workers:read',
    summary: 'The workers.',
    responses: { 200: api.workerListSchema },
    errors: [],
  },
  drainWorker: {
    method: 'POST',
    path: '/workers/{id}/drain',
    function: 'manage-workers',
    scope: 'admin',
    summary: 'Let a worker finish what it has, and give it nothing more.',
    responses: { 200: api.workerSchema },
    errors: [404],
  },
  resumeWorker: {
    method: 'POST',
    path: '/workers/{id}/resume',
    function: 'manage-workers',
    scope: 'admin',
    summary: 'Take a drained worker into service again.',
    responses: { 200: api.workerSchema },
    errors: [404],
  },
  createFile: {
    method: 'POST',
    path: '/files',
    function: 'create-file',
    scope: 'tasks:write',
    summary:
      'A URL to upload a file to. Name it in `inputs` as `{"file_id": "…"}`, or send a large workflow as `payload_file_id`.',
    request: api.createFileSchema,
    responses: { 201: api.createFileResponseSchema },
    errors: [400, 413],
  },
  putWorkflow: {
    method: 'PUT',
    path: '/workflows/{id}',
    function: 'store-workflow',
    scope: 'tasks:write',
    summary: 'Keep a workflow under an id, with named parameters.',
    request: api.putWorkflowSchema,
    responses: { 200: api.storedWorkflowSchema, 201: api.storedWorkflowSchema },
    errors: [400, 413],
  },
  getWorkflow: {
    method: 'GET',
    path: '/workflows/{id}',
    function: 'store-workflow',
    scope: 'tasks:read',
    summary: 'A stored workflow.',
    responses: { 200: storedWorkflowTextSchema },
    errors: [404],
  },
  listWorkflows: {
    method: 'GET',
    path: '/workflows',
    function: 'store-workflow',
    scope: 'tasks:read',
    summary: 'Your stored workflows.',
    responses: { 200: api.workflowListSchema },
    errors: [],
  },
  deleteWorkflow: {
    method: 'DELETE',
    path: '/workflows/{id}',
    function: 'store-workflow',
    scope: 'tasks:write',
    summary: 'Forget a stored workflow. Tasks that were made of it are not touched.',
    responses: { 204: undefined },
    errors: [404],
  },
  createTicket: {
    method: 'POST',
    path: '/tickets',
    function: 'issue-credentials',
    scope: 'tasks:read',
    summary: 'A one-time ticket for the socket, good for 30 seconds.',
    responses: { 201: api.ticketSchema },
    errors: [],
  },
  createKey: {
    method: 'POST',
    path: '/keys',
    function: 'issue-credentials',
    scope: 'keys:write',
    summary: 'A new API key. Its scopes are at most your own.',
    request: api.createKeySchema,
    responses: { 201: api.createKeyResponseSchema },
    errors: [400],
  },
  listKeys: {
    method: 'GET',
    path: '/keys',
    function: 'issue-credentials',
    scope: 'keys:write',
    summary: 'Your API keys, without their secrets.',
    query: keyQuerySchema,
    responses: { 200: api.keyListSchema },
    errors: [400],
  },
  revokeKey: {
    method: 'DELETE',
    path: '/keys/{id}',
    function: 'issue-credentials',
    scope: 'keys:write',
    summary: 'Revoke a key, at once and for good.',
    query: keyQuerySchema,
    responses: { 204: undefined },
    errors: [400, 404],
  },
  getOpenApi: {
    method: 'GET',
    path: '/openapi.json',
    function: 'api-reference',
    scope: 'none',
    summary: 'This document, OpenAPI 3.1.',
    responses: { 200: undefined },
    errors: [],
  },
  getReference: {
    method: 'GET',
    path: '/docs',
    function: 'api-reference',
    scope: 'none',
    summary: 'This document as a page.',
    responses: { 200: undefined },
    errors: [],
  },
} as const satisfies Record<string, ApiRoute>;

export type OperationId = keyof typeof apiRoutes;

/** API Gateway's key of a route: `GET /api/v1/tasks/{id}`. */
export const routeKeyOf = ({ method, path }: Pick<ApiRoute, 'method' | 'path'>): string =>
  `${method} ${API_PREFIX}${path}`;
