/** What the page asks the task API beside what `web/client` does: see `shared-types/api-routes.ts`. */
import { fieldsOf, parseJson, textOf } from '../../client/guards.ts';
import { packBody, type PackedBody } from './packed-body.ts';
import { ApiError } from './pipeline-error.ts';
import {
  readDetails,
  readPage,
  readProblems,
  readQueue,
  readStored,
  readStoredList,
  readTimeline,
  readUpload,
  readWorkers,
  type QueueState,
  type StoredWorkflow,
  type TaskDetails,
  type TaskPage,
  type TimelineEntry,
  type WorkerCard,
} from './read-answers.ts';
import { rawValue } from '../workflow/edit-workflow.ts';

export interface Submission {
  readonly workflowId: string;
  /** The workflow in API format as JSON text; sent as it is. */
  readonly payload: string;
  readonly priority?: number;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

export interface TaskQuery {
  readonly status?: string;
  readonly limit?: number;
  readonly cursor?: string | undefined;
}

/** Every call rejects with an `ApiError`. */
export interface PipelineApi {
  /** The task's id. The key makes a repetition harmless, so a lost answer is asked for once more. */
  submit(submission: Submission, idempotencyKey: string): Promise<string>;
  listTasks(query: TaskQuery): Promise<TaskPage>;
  getTask(id: string): Promise<TaskDetails>;
  /** The workflow of a task as text, wherever it is kept. */
  getPayload(task: TaskDetails): Promise<string>;
  cancel(id: string): Promise<void>;
  /** The id of the new task. */
  retry(id: string): Promise<string>;
  timeline(id: string): Promise<readonly TimelineEntry[]>;
  workers(): Promise<readonly WorkerCard[]>;
  changeWorker(id: string, action: 'drain' | 'resume'): Promise<void>;
  queue(): Promise<QueueState>;
  changeQueue(action: 'pause' | 'resume'): Promise<QueueState>;
  storedWorkflows(): Promise<readonly StoredWorkflow[]>;
  storedWorkflow(id: string): Promise<StoredWorkflow & { readonly text: string }>;
  saveWorkflow(id: string, text: string): Promise<void>;
  /** Uploads a file; its id goes into `inputs`. */
  upload(file: File): Promise<string>;
}

export interface PipelineApiOptions {
  readonly apiUrl: string;
  /** Sent as bearer; undefined where none is needed. */
  readonly token: string | undefined;
  readonly fetch?: typeof fetch;
  /** Called at each answer 401: the key is missing, wrong or no longer good. */
  readonly onUnauthorized?: () => void;
}

const REQUEST_TIMEOUT_MS = 30_000;
const UPLOAD_TIMEOUT_MS = 10 * 60_000;
const UNREACHABLE = 'The task API cannot be reached. Check that it runs, and your connection.';

const failureOf = (status: number, text: string): ApiError => {
  const body = parseJson(text);
  const fields = fieldsOf(body);
  const said = textOf(fields?.['error']) ?? textOf(fields?.['message']);
  const message = said === undefined || said === '' ? `The task API answered ${status}` : said;
  return new ApiError(status === 401 ? 'unauthorized' : 'refused', message, {
    status,
    problems: readProblems(body),
  });
};

const understood = <T>(value: T | undefined): T => {
  if (value !== undefined) return value;
  throw new ApiError('badAnswer', 'The task API answered something unexpected: check apiUrl', {
    status: 200,
  });
};

type Send = (path: string, init?: RequestInit) => Promise<string>;

const createSend = (options: PipelineApiOptions): Send => {
  const base = `${options.apiUrl.replace(/\/+$/, '')}/api/v1`;
  const send = options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call));
  return async (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`);
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const answer = await send(`${base}${path}`, { ...init, headers, signal }).catch((cause: unknown) => {
      throw new ApiError('network', UNREACHABLE, { status: 0, cause });
    });
    const text = await answer.text().catch((cause: unknown) => {
      throw new ApiError('network', UNREACHABLE, { status: 0, cause });
    });
    if (answer.ok) return text;
    if (answer.status === 401) options.onUnauthorized?.();
    throw failureOf(answer.status, text);
  };
};

const post = (body: BodyInit, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', ...headers },
});

const fieldsTextOf = ({ workflowId, priority, inputs }: Submission, more: object = {}): string => {
  const named = inputs === undefined || Object.keys(inputs).length === 0 ? undefined : inputs;
  return JSON.stringify({ workflow_id: workflowId, priority, inputs: named, ...more });
};

/** The request body, with the workflow put in as text; one that is too large for a request is uploaded first. */
const submissionBody = async (submission: Submission, upload: PipelineApi['upload']): Promise<PackedBody> => {
  const { payload } = submission;
  const packed = await packBody(`${fieldsTextOf(submission).slice(0, -1)},"payload":${payload}}`);
  if (packed !== undefined) return packed;
  const payload_file_id = await upload(new File([payload], 'workflow.json'));
  return { body: fieldsTextOf(submission, { payload_file_id }), headers: {} };
};

const idOf = (text: string): string => understood(textOf(fieldsOf(parseJson(text))?.['id']));

const submitWith =
  (send: Send, upload: PipelineApi['upload']): PipelineApi['submit'] =>
  async (submission, idempotencyKey) => {
    const { body, headers } = await submissionBody(submission, upload);
    const init = post(body, { ...headers, 'idempotency-key': idempotencyKey });
    const first = await send('/tasks', init).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 'network') return undefined;
      throw error;
    });
    return idOf(first ?? (await send('/tasks', init)));
  };

const queryText = ({ status, limit, cursor }: TaskQuery): string => {
  const query = new URLSearchParams();
  if (status !== undefined) query.set('status', status);
  if (limit !== undefined) query.set('limit', String(limit));
  if (cursor !== undefined) query.set('cursor', cursor);
  return query.toString();
};

const uploadWith =
  (send: Send, options: PipelineApiOptions): PipelineApi['upload'] =>
  async (file) => {
    const content_type = file.type === '' ? 'application/octet-stream' : file.type;
    const body = JSON.stringify({ filename: file.name, content_type, size: file.size });
    const { fileId, uploadUrl, headers } = understood(
      readUpload(parseJson(await send('/files', post(body)))),
    );
    const put = options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call));
    const signal = AbortSignal.timeout(UPLOAD_TIMEOUT_MS);
    const answer = await put(uploadUrl, { method: 'PUT', body: file, headers, signal }).catch(
      (cause: unknown) => {
        throw new ApiError('network', `${file.name} could not be uploaded. Try again.`, { status: 0, cause });
      },
    );
    if (answer.ok) return fileId;
    const { status } = answer;
    throw new ApiError('refused', `The storage refused ${file.name} (${status}). Try again.`, { status });
  };

const payloadWith =
  (options: PipelineApiOptions): PipelineApi['getPayload'] =>
  async ({ payload, payloadUrl }) => {
    if (payload !== undefined) return payload;
    if (payloadUrl === undefined)
      throw new ApiError('badAnswer', 'Its workflow is no longer kept.', { status: 404 });
    const get = options.fetch ?? ((...call: Parameters<typeof fetch>) => globalThis.fetch(...call));
    const answer = await get(payloadUrl).catch((cause: unknown) => {
      throw new ApiError('network', 'Its workflow could not be loaded.', { status: 0, cause });
    });
    if (answer.ok) return answer.text();
    throw new ApiError('refused', 'Its workflow is no longer kept.', { status: answer.status });
  };

const at = (id: string): string => encodeURIComponent(id);

export const createPipelineApi = (options: PipelineApiOptions): PipelineApi => {
  const send = createSend(options);
  const get = async (path: string): Promise<unknown> => parseJson(await send(path));
  const upload = uploadWith(send, options);
  return {
    submit: submitWith(send, upload),
    listTasks: async (query) => understood(readPage(await get(`/tasks?${queryText(query)}`))),
    getTask: async (id) => understood(readDetails(await send(`/tasks/${at(id)}`))),
    getPayload: payloadWith(options),
    cancel: async (id) => void (await send(`/tasks/${at(id)}`, { method: 'DELETE' })),
    retry: async (id) => idOf(await send(`/tasks/${at(id)}/retry`, { method: 'POST' })),
    timeline: async (id) => understood(readTimeline(await get(`/tasks/${at(id)}/timeline`))),
    workers: async () => understood(readWorkers(await get('/workers'))),
    changeWorker: async (id, action) => void (await send(`/workers/${at(id)}/${action}`, { method: 'POST' })),
    queue: async () => understood(readQueue(await get('/queue'))),
    changeQueue: async (action) =>
      understood(readQueue(parseJson(await send(`/queue/${action}`, post('{}'))))),
    storedWorkflows: async () => understood(readStoredList(await get('/workflows'))),
    async storedWorkflow(id) {
      const text = await send(`/workflows/${at(id)}`);
      const stored = understood(readStored(parseJson(text)));
      return { ...stored, text: understood(rawValue(text, ['workflow'])) };
    },
    async saveWorkflow(id, text) {
      const plain = `{"workflow":${text}}`;
      // One that is too large even so is refused in a line that says so.
      const { body, headers } = (await packBody(plain)) ?? { body: plain, headers: {} };
      await send(`/workflows/${at(id)}`, { ...post(body, { ...headers }), method: 'PUT' });
    },
    upload,
  };
};
