/** What each operation of the task API does to the memory behind it. */
import { randomUUID } from 'node:crypto';
import { taskApiExamples } from '../../shared-types/task-api-examples.ts';
import type { OperationId } from '../../shared-types/index.ts';
import { refusal, reply, type FakeTasks, type Reply, type StoredTask } from './fake-tasks.ts';

export interface RouteCall {
  readonly operation: OperationId;
  readonly id: string;
  readonly query: URLSearchParams;
  /** As text, inflated. */
  readonly body: string;
  readonly idempotencyKey: string | undefined;
}

export interface FakeState {
  readonly tasks: FakeTasks;
  readonly uploads: Map<
    string,
    { readonly type: string; readonly size: number; bytes: Uint8Array | undefined }
  >;
  readonly workflows: Map<string, string>;
  readonly tickets: Set<string>;
  readonly urls: { readonly http: string; readonly socket: string };
  timeline: unknown;
  /** Of every task. */
  callbacks: unknown[];
  queue: { paused: boolean; all_paused: boolean };
}

const example = taskApiExamples;
const expires_at = '2099-01-01T00:00:00.000Z';

const onTask = ({ tasks }: FakeState, id: string, act: (stored: StoredTask) => Reply): Reply => {
  const stored = tasks.tasks.get(id);
  return stored === undefined ? refusal(404, 'no such task: check the id') : act(stored);
};

const storedView = (id: string, text: string) => ({
  ...example.storedWorkflow,
  id,
  parameters: (JSON.parse(text) as { parameters?: object }).parameters ?? {},
});

const createFile = ({ uploads, urls }: FakeState, body: string): Reply => {
  const { content_type, size } = JSON.parse(body) as { content_type: string; size: number };
  const file_id = randomUUID();
  uploads.set(file_id, { type: content_type, size, bytes: undefined });
  const headers = { 'content-type': content_type };
  return reply(201, { file_id, upload_url: `${urls.http}/uploads/${file_id}`, headers, expires_at });
};

const createTicket = ({ tickets, urls }: FakeState): Reply => {
  const ticket = randomUUID();
  tickets.add(ticket);
  return reply(201, { ticket, expires_at, web_socket_url: urls.socket });
};

const setQueue = (state: FakeState, body: string, paused: boolean): Reply => {
  const { scope } = JSON.parse(body) as { scope: 'mine' | 'all' };
  state.queue = { ...state.queue, [scope === 'all' ? 'all_paused' : 'paused']: paused };
  return reply(200, state.queue);
};

const workerOf = (id: string, status: string): Reply =>
  reply(200, { ...example.workerList.workers[0], id, status });

const keyOf = (body: string): Reply => {
  const { name, scopes, user_id } = JSON.parse(body) as { name: string; scopes?: string[]; user_id?: string };
  const { createKeyResponse } = example;
  return reply(201, {
    ...createKeyResponse,
    name,
    scopes: scopes ?? createKeyResponse.scopes,
    user_id: user_id ?? createKeyResponse.user_id,
  });
};

const redeliver = (state: FakeState, { task }: StoredTask): Reply => {
  if (!['completed', 'failed', 'cancelled'].includes(task.status))
    return refusal(409, `the task is ${task.status}: its callback is made when it ends`);
  const [delivery] = example.callbackList.deliveries;
  state.callbacks = [
    ...state.callbacks,
    { ...delivery, status: 'pending', attempts: [], next_attempt_at: expires_at },
  ];
  return reply(202, { deliveries: state.callbacks });
};

/** Undefined for what no command calls. */
export const answer = (state: FakeState, call: RouteCall): Reply | undefined => {
  const { operation, id, body, query } = call;
  const { tasks, workflows } = state;
  const routes: Partial<Record<OperationId, () => Reply>> = {
    submitTask: () => tasks.submit(body, call.idempotencyKey),
    listTasks: () => tasks.list(query),
    getTask: () => onTask(state, id, ({ task }) => reply(200, task)),
    changeTask: () => onTask(state, id, (stored) => tasks.change(stored, body)),
    cancelTask: () => onTask(state, id, tasks.cancel),
    retryTask: () => onTask(state, id, tasks.retry),
    getTimeline: () => onTask(state, id, () => reply(200, state.timeline)),
    listCallbacks: () => onTask(state, id, () => reply(200, { deliveries: state.callbacks })),
    redeliverCallback: () => onTask(state, id, (stored) => redeliver(state, stored)),
    getMetrics: () => reply(200, example.metrics),
    getQueue: () => reply(200, state.queue),
    pauseQueue: () => setQueue(state, body, true),
    resumeQueue: () => setQueue(state, body, false),
    listWorkers: () => reply(200, example.workerList),
    drainWorker: () => workerOf(id, 'draining'),
    resumeWorker: () => workerOf(id, 'idle'),
    createFile: () => createFile(state, body),
    putWorkflow: () => {
      const status = workflows.has(id) ? 200 : 201;
      workflows.set(id, body);
      return reply(status, storedView(id, body));
    },
    getWorkflow: () => reply(200, workflows.get(id) ?? '{}'),
    listWorkflows: () =>
      reply(200, { workflows: [...workflows].map(([key, text]) => storedView(key, text)) }),
    deleteWorkflow: () => (workflows.delete(id) ? reply(204) : refusal(404, 'you keep no such workflow')),
    createTicket: () => createTicket(state),
    createKey: () => keyOf(body),
    listKeys: () => reply(200, example.keyList),
    revokeKey: () => reply(204),
  };
  return routes[operation]?.();
};
