/** The task API as one caller sees it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiScope } from '../../functions/core/ports.ts';
import { apiRoutes, type OperationId } from '../../shared-types/api-routes.ts';
import {
  metricsSchema,
  taskListSchema,
  taskSchema,
  type Metrics,
  type Task,
  type TaskSummary,
} from '../../shared-types/index.ts';
import { waitUntil } from './wait.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed text; undefined when it is no JSON. */
  readonly body: Record<string, unknown> | undefined;
}

export interface CallOptions {
  /** Sent as it is when it is text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiCaller {
  call(method: string, path: string, options?: CallOptions): Promise<ApiAnswer>;
  /** The same by its name in `apiRoutes`; `id` fills the path. */
  operation(name: OperationId, id?: string, options?: CallOptions): Promise<ApiAnswer>;
  /** Throws unless the task was accepted; answers its id. */
  submit(fields: Readonly<Record<string, unknown>>): Promise<string>;
  task(id: string): Promise<Task>;
  /** Waits for a task that is as asked. */
  until(id: string, is: (task: Task) => boolean, timeoutMs?: number): Promise<Task>;
  /** Waits for a terminal status. */
  finished(id: string, timeoutMs?: number): Promise<Task>;
  /** Every page. */
  list(query?: string): Promise<TaskSummary[]>;
  metrics(): Promise<Metrics>;
}

const WAIT_MS = 60_000;
const TERMINAL = ['completed', 'failed', 'cancelled'];
export const isEnded = ({ status }: Pick<Task, 'status'>): boolean => TERMINAL.includes(status);

const parsed = (text: string): Record<string, unknown> | undefined => {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};

const textOf = (body: unknown): string | Uint8Array<ArrayBuffer> | null => {
  if (body === undefined) return null;
  return typeof body === 'string' || body instanceof Uint8Array
    ? (body as string | Uint8Array<ArrayBuffer>)
    : JSON.stringify(body);
};

/** @param key an API key; without it the caller is whoever the stage takes for nobody in particular */
export const apiCaller = (apiUrl: string, key?: string): ApiCaller => {
  const credentials: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const call: ApiCaller['call'] = async (method, path, { body, headers } = {}) => {
    const response = await fetch(`${apiUrl}/api/v1${path}`, {
      method,
      headers: {
        ...credentials,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: textOf(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  };
  /** On a machine under load API Gateway may give up before the function answers: whoever reads asks again. */
  const read = async (path: string, tries = 10): Promise<unknown> => {
    const { status, text, body } = await call('GET', path);
    if (status >= 500 && tries > 1) {
      await delay(500);
      return read(path, tries - 1);
    }
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${text}`);
    return body;
  };
  const task = async (id: string): Promise<Task> => taskSchema.parse(await read(`/tasks/${id}`));
  const until: ApiCaller['until'] = async (id, is, timeoutMs = WAIT_MS) => {
    let last: Task | undefined;
    const matches = async (): Promise<Task | false> => {
      last = await task(id);
      return is(last) && last;
    };
    return waitUntil(matches, { what: `task ${id}`, timeoutMs, pollMs: 60, mostPollMs: 800 }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; it is ${last?.status}, ${last?.error}`);
      },
    );
  };
  return {
    call,
    operation: (name, id = '', options = {}) => {
      const { method, path } = apiRoutes[name];
      return call(method, path.replace('{id}', id), options);
    },
    submit: async (fields) => {
      const { status, text, body } = await call('POST', '/tasks', {
        body: { workflow_id: 'test', ...fields },
      });
      if (status !== 201) throw new Error(`the submission answered ${status}: ${text}`);
      return String(body?.['id']);
    },
    task,
    until,
    finished: (id, timeoutMs) => until(id, isEnded, timeoutMs),
    list: async (query = '') => {
      const tasks: TaskSummary[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const page = taskListSchema.parse(await read(`/tasks?limit=100${query}${from}`));
        tasks.push(...page.tasks);
        cursor = page.next_cursor;
      }
      return tasks;
    },
    metrics: async () => metricsSchema.parse(await read('/metrics')),
  };
};

/** A user of their own, by a key that the open access of one machine lets anybody make. */
export const createUser = async (
  apiUrl: string,
  userId: string,
  scopes: readonly ApiScope[] = ['tasks:read', 'tasks:write', 'workers:read'],
): Promise<ApiCaller & { readonly key: string; readonly keyId: string; readonly userId: string }> => {
  const body = { name: `key of ${userId}`, user_id: userId, scopes };
  const answer = await apiCaller(apiUrl).operation('createKey', '', { body });
  if (answer.status !== 201) throw new Error(`no key for ${userId}: ${answer.status} ${answer.text}`);
  const key = String(answer.body?.['key']);
  return { ...apiCaller(apiUrl, key), key, keyId: String(answer.body?.['id']), userId };
};
export type ApiUser = Awaited<ReturnType<typeof createUser>>;
