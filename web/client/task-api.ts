/** The task API over fetch: POST /api/v1/tasks, GET /api/v1/tasks/{id} and POST /api/v1/tickets. */
import type { SubmitTaskResponse } from '../../shared-types/index.ts';
import { ClientError, type ClientErrorCode } from './client-error.ts';
import { fieldsOf, parseJson, textOf } from './guards.ts';
import { readTask, type TaskView } from './read-task.ts';

export interface TaskSubmission {
  readonly workflow_id: string;
  /** 0 (last) to 10 (first); the server's default is 5. */
  readonly priority?: number;
  /** The workflow in API format as JSON text. Sent as it is: a seed of 20 digits keeps its digits. */
  readonly payload: string;
  readonly session_id?: string;
  readonly max_retries?: number;
}

export interface TaskApi {
  /** @throws ClientError. Not tried again by itself: a lost answer may hide a task that was taken. */
  submitTask(submission: TaskSubmission): Promise<SubmitTaskResponse>;
  /** @throws ClientError */
  getTask(id: string): Promise<TaskView>;
  /** A ticket that opens the socket once, within 30 seconds. @throws ClientError */
  createTicket(): Promise<string>;
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

export const resolveToken = async (token: Token | undefined): Promise<string | undefined> =>
  typeof token === 'function' ? await token() : token;

const codeOf = (status: number): ClientErrorCode => {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'notFound';
  if (status === 409) return 'conflict';
  if (status === 413) return 'tooLarge';
  if (status === 429) return 'tooMany';
  return status >= 500 ? 'server' : 'badRequest';
};

const refusal = (status: number, body: unknown): ClientError => {
  const fields = fieldsOf(body);
  // API Gateway's own answers say `message` where ours say `error`.
  const said = textOf(fields?.['error']) ?? textOf(fields?.['message']);
  const code = codeOf(status);
  const message = said === undefined || said === '' ? `The task API answered ${status}` : said;
  return new ClientError(code, message, { status, retryable: code === 'server' || code === 'tooMany' });
};

const checkedPayload = (payload: string): string => {
  if (fieldsOf(parseJson(payload)) !== undefined) return payload;
  const message = 'The workflow is not a JSON object: export it in API format';
  throw new ClientError('badPayload', message, { retryable: false });
};

/** The request body, with the payload put in as text. */
export const submissionBody = ({ payload, ...fields }: TaskSubmission): string => {
  const rest = JSON.stringify(fields);
  return `${rest.slice(0, -1)},"payload":${checkedPayload(payload)}}`;
};

const readSubmitted = (body: unknown): SubmitTaskResponse | undefined => {
  const fields = fieldsOf(body);
  const id = textOf(fields?.['id']);
  if (fields === undefined || id === undefined || id === '') return undefined;
  return {
    id,
    workflow_id: textOf(fields['workflow_id']) ?? '',
    status: 'pending',
    created_at: textOf(fields['created_at']) ?? '',
  };
};

export const createTaskApi = (options: TaskApiOptions): TaskApi => {
  const base = options.apiUrl.replace(/\/+$/, '');
  const send = options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call));

  const exchange = async (path: string, init: RequestInit): Promise<{ status: number; text: string }> => {
    const token = await resolveToken(options.token);
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    // Not AbortSignal.any over AbortSignal.timeout: Node 20 may collect the timeout before it fires.
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = setTimeout(abort, options.requestTimeoutMs);
    options.signal.addEventListener('abort', abort, { once: true });
    if (options.signal.aborted) abort();
    try {
      const response = await send(`${base}${path}`, { ...init, headers, signal: controller.signal });
      return { status: response.status, text: await response.text() };
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
    }
  };

  const request = async (path: string, init: RequestInit): Promise<unknown> => {
    const answer = await exchange(path, init).catch((cause: unknown) => {
      if (options.signal.aborted)
        throw new ClientError('closed', 'The client was closed', { retryable: false });
      throw new ClientError('network', 'The task API cannot be reached', { retryable: true, cause });
    });
    const body = parseJson(answer.text);
    if (answer.status < 200 || answer.status > 299) throw refusal(answer.status, body);
    return body;
  };

  const understood = <T>(value: T | undefined): T => {
    if (value !== undefined) return value;
    const message = 'The task API answered something unexpected: check apiUrl';
    throw new ClientError('badAnswer', message, { retryable: false });
  };

  return {
    async submitTask(submission) {
      const body = submissionBody(submission);
      const headers = { 'content-type': 'application/json' };
      return understood(readSubmitted(await request('/api/v1/tasks', { method: 'POST', body, headers })));
    },
    async getTask(id) {
      return understood(readTask(await request(`/api/v1/tasks/${encodeURIComponent(id)}`, {})));
    },
    async createTicket() {
      const ticket = textOf(fieldsOf(await request('/api/v1/tickets', { method: 'POST' }))?.['ticket']);
      return understood(ticket === '' ? undefined : ticket);
    },
  };
};
