/** The task API over fetch, as far as the client needs it. */
import type { SubmitTaskResponse } from '../../shared-types/index.ts';
import { ClientError, closedError, type ClientErrorCode } from './client-error.ts';
import { fieldsOf, nameOf, objectOf, parseJson, textOrEmpty } from './guards.ts';
import { readTask, type TaskView } from './read-task.ts';

/** What POST /api/v1/tasks accepts. */
export interface TaskSubmission {
  /** A name of yours; without `payload` and `payload_file_id`, the id of a stored workflow. */
  readonly workflow_id: string;
  /** The workflow in API format as JSON text. Sent as it is: a seed of 20 digits keeps its digits. */
  readonly payload?: string;
  /** The workflow as an uploaded file: the `file_id` that POST /api/v1/files answered. */
  readonly payload_file_id?: string;
  /**
   * Values by parameter of a stored workflow, or by `<nodeId>.inputs.<input>`. As JSON text they are sent as they are,
   * which whole numbers above 2^53 need.
   */
  readonly inputs?: Readonly<Record<string, unknown>> | string;
  /** 0 (last) to 10 (first); the server's default is 5. */
  readonly priority?: number;
  readonly session_id?: string;
  readonly max_retries?: number;
  /** Seconds that one attempt may run. */
  readonly timeout_seconds?: number;
  readonly callback_url?: string;
  /** Only a worker that has all of them is given the task. */
  readonly tags?: readonly string[];
}

export interface TaskApi {
  /** @throws ClientError. Not tried again by itself: a lost answer may hide a task that was taken. */
  readonly submitTask: (submission: TaskSubmission) => Promise<SubmitTaskResponse>;
  /** @throws ClientError */
  readonly getTask: (id: string) => Promise<TaskView>;
  /** The task as it is then: `cancelled`, or still `running` while ComfyUI is asked to stop. @throws ClientError */
  readonly cancelTask: (id: string) => Promise<TaskView>;
  /** Queues an ended task again, as a new one. @throws ClientError */
  readonly retryTask: (id: string) => Promise<SubmitTaskResponse>;
  /** A ticket that opens the socket once, within 30 seconds. @throws ClientError */
  readonly createTicket: () => Promise<string>;
}

export type Token = string | (() => string | Promise<string>);

export interface TaskApiOptions {
  readonly apiUrl: string;
  readonly token?: Token | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly requestTimeoutMs: number;
  /** Ends what is under way when the client closes. */
  readonly signal: AbortSignal;
}

const CODES: Readonly<Record<number, ClientErrorCode>> = {
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'notFound',
  409: 'conflict',
  413: 'tooLarge',
  429: 'tooMany',
};

const refusal = (status: number, body: unknown): ClientError => {
  const fields = fieldsOf(body);
  // API Gateway's own answers say `message` where ours say `error`.
  const said = nameOf(fields?.['error']) ?? nameOf(fields?.['message']);
  const code = CODES[status] ?? (status < 500 ? 'badRequest' : 'server');
  const retryable = code === 'server' || code === 'tooMany';
  return new ClientError(code, said ?? `The task API answered ${status}`, { status, retryable });
};

/** What is JSON text already: put in as it stands. */
const TEXTS = ['payload', 'inputs'] as const;

/** The request body. @throws ClientError `badPayload` */
export const submissionBody = (submission: TaskSubmission): string => {
  const fields: Record<string, unknown> = { ...submission };
  let texts = '';
  for (const key of TEXTS) {
    const text = fields[key];
    if (typeof text !== 'string') continue;
    if (fieldsOf(parseJson(text)) === undefined) {
      throw new ClientError('badPayload', `${key} is not a JSON object`);
    }
    texts += `,"${key}":${text}`;
    delete fields[key];
  }
  return `${JSON.stringify(fields).slice(0, -1)}${texts}}`;
};

const readSubmitted = objectOf<SubmitTaskResponse>({
  id: nameOf,
  workflow_id: textOrEmpty,
  status: () => 'pending',
  created_at: textOrEmpty,
});

export const createTaskApi = (options: TaskApiOptions): TaskApi => {
  const base = `${options.apiUrl.replace(/\/+$/, '')}/api/v1/`;
  const { fetch: send = globalThis.fetch } = options;

  const exchange = async (method: string, path: string, body?: string) => {
    const { token, signal } = options;
    const bearer = typeof token === 'function' ? await token() : token;
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`;
    // Not AbortSignal.any over AbortSignal.timeout: Node 20 may collect the timeout before it fires.
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = setTimeout(abort, options.requestTimeoutMs);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      const init = { method, headers, body: body ?? null, signal: controller.signal };
      const response = await send(base + path, init);
      return { status: response.status, text: await response.text() };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  };

  const request = async <T>(
    read: (body: unknown) => T | undefined,
    method: string,
    path: string,
    body?: string,
  ): Promise<T> => {
    const { status, text } = await exchange(method, path, body).catch((cause: unknown) => {
      if (options.signal.aborted) throw closedError();
      throw new ClientError('network', 'The task API cannot be reached', { retryable: true, cause });
    });
    const answer = parseJson(text);
    if (status < 200 || status > 299) throw refusal(status, answer);
    const found = read(answer);
    if (found !== undefined) return found;
    throw new ClientError('badAnswer', 'Unexpected answer: check apiUrl');
  };

  const task = (id: string): string => `tasks/${encodeURIComponent(id)}`;
  return {
    // Async, so that a payload which is refused here rejects as any other.
    submitTask: async (submission) => request(readSubmitted, 'POST', 'tasks', submissionBody(submission)),
    getTask: (id) => request(readTask, 'GET', task(id)),
    cancelTask: (id) => request(readTask, 'DELETE', task(id)),
    retryTask: (id) => request(readSubmitted, 'POST', `${task(id)}/retry`),
    createTicket: () => request((body) => nameOf(fieldsOf(body)?.['ticket']), 'POST', 'tickets'),
  };
};
