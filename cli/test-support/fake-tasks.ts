/** Tasks, stored workflows, uploads, keys and the queue as the task API keeps them, in memory. */
import { createHash, randomUUID } from 'node:crypto';
import { pushExamples } from '../../shared-types/push-examples.ts';
import { taskApiExamples } from '../../shared-types/task-api-examples.ts';
import type { Task } from '../../shared-types/index.ts';

export type TaskOutput = NonNullable<Task['result']>['outputs'][number];

export interface Reply {
  readonly status: number;
  /** Sent as JSON; a string as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StoredTask {
  task: Task;
  /** Of the last push. */
  sequence: number;
  readonly body: string;
}

export const reply = (status: number, body?: unknown): Reply => ({ status, body });
export const refusal = (status: number, error: string): Reply => reply(status, { error });

const example = taskApiExamples.task as unknown as Task;
const NOT_IN_LISTS: ReadonlySet<string> = new Set([
  'payload',
  'payload_url',
  'result',
  'queue_position',
  'eta_seconds',
  'attempts',
]);
const NOW = '2026-11-22T10:00:00.000Z';

/** An output whose bytes are served below `/media/`. */
export const outputOf = (filename: string, bytes: Uint8Array, src: string): TaskOutput => ({
  output_id: randomUUID(),
  node_id: '9',
  output_key: 'images',
  index: 0,
  kind: 'image',
  src,
  mime_type: 'image/png',
  size: bytes.length,
  filename,
});

export const createFakeTasks = () => {
  const tasks = new Map<string, StoredTask>();
  const byKey = new Map<string, string>();

  const add = (changes: Partial<Task>, body = '{}'): StoredTask => {
    const task: Task = {
      ...example,
      id: randomUUID(),
      status: 'pending',
      result: null,
      started_at: null,
      completed_at: null,
      progress: 0,
      attempt: 0,
      attempts: [],
      worker_id: '',
      prompt_id: null,
      queue_position: 1,
      eta_seconds: 65,
      created_at: NOW,
      ...changes,
    };
    const stored = { task, sequence: 1, body };
    tasks.set(task.id, stored);
    return stored;
  };

  const summaryOf = (task: Task) =>
    Object.fromEntries(Object.entries(task).filter(([name]) => !NOT_IN_LISTS.has(name)));

  const submittedOf = ({ id, workflow_id, created_at }: Task): Reply =>
    reply(201, { id, workflow_id, status: 'pending', created_at });

  return {
    tasks,
    add,
    list: (query: URLSearchParams): Reply => {
      const status = query.get('status');
      const workflow = query.get('workflow_id');
      const all = [...tasks.values()]
        .map(({ task }) => task)
        .filter((task) => status === null || task.status === status)
        .filter((task) => workflow === null || task.workflow_id === workflow);
      const from = Number(query.get('cursor') ?? '0');
      const to = from + Number(query.get('limit') ?? '50');
      const next_cursor = to < all.length ? String(to) : null;
      return reply(200, { tasks: all.slice(from, to).map(summaryOf), next_cursor });
    },
    /** The same key makes the same task; another body under it is a conflict. */
    submit: (body: string, key: string | undefined): Reply => {
      const fields = JSON.parse(body) as Partial<Task>;
      const hash = createHash('sha256').update(body).digest('hex');
      const known = key === undefined ? undefined : byKey.get(key);
      if (known !== undefined) {
        const [id = '', before] = known.split(' ');
        const there = tasks.get(id);
        return before === hash && there !== undefined
          ? submittedOf(there.task)
          : refusal(409, 'key conflict');
      }
      const { task } = add({ workflow_id: fields.workflow_id ?? '', payload: fields.payload ?? null }, body);
      if (key !== undefined) byKey.set(key, `${task.id} ${hash}`);
      return submittedOf(task);
    },
    retry: ({ task }: StoredTask): Reply =>
      submittedOf(add({ workflow_id: task.workflow_id, retry_of: task.id }).task),
    cancel: (stored: StoredTask): Reply => {
      const { task } = stored;
      if (task.status === 'completed' || task.status === 'failed')
        return refusal(409, `this task has ${task.status} already and cannot be cancelled`);
      const pending = task.status === 'pending' || task.status === 'cancelled';
      stored.task = pending
        ? { ...task, status: 'cancelled', cancel_requested: true, completed_at: NOW, queue_position: null }
        : { ...task, cancel_requested: true };
      return reply(pending ? 200 : 202, summaryOf(stored.task));
    },
    change: (stored: StoredTask, body: string): Reply => {
      stored.task = { ...stored.task, ...(JSON.parse(body) as { priority: number }) };
      return reply(200, summaryOf(stored.task));
    },
    snapshotOf: ({ task, sequence }: StoredTask) => ({
      type: 'job_snapshot',
      jobId: task.id,
      promptId: task.prompt_id,
      attempt: task.attempt,
      sequence,
      timestamp: NOW,
      status: task.status,
      workflowId: task.workflow_id,
      progress:
        task.status === 'running'
          ? { ...pushExamples.job_snapshot.progress, overallPercentage: task.progress }
          : null,
      outputs: [],
      error: task.error === '' ? null : task.error,
      retryCount: 0,
      maxRetries: 3,
      createdAt: NOW,
      startedAt: task.started_at,
      completedAt: task.completed_at,
    }),
    progressOf: ({ task, sequence }: StoredTask, nodeName: string, step: number, steps: number) => ({
      ...pushExamples.job_progress,
      jobId: task.id,
      attempt: task.attempt,
      sequence,
      nodeName,
      nodeProgress: step,
      nodeMaxProgress: steps,
      overallPercentage: task.progress,
    }),
    endOf: ({ task, sequence }: StoredTask) => {
      const base = { jobId: task.id, promptId: null, attempt: task.attempt, sequence, timestamp: NOW };
      if (task.status === 'completed')
        return { ...pushExamples.job_completed, ...base, outputs: [], message: 'Done' };
      if (task.status === 'failed')
        return { ...pushExamples.job_failed, ...base, message: task.error, nodeName: 'Load Image' };
      return { ...pushExamples.job_cancelled, ...base };
    },
  };
};
export type FakeTasks = ReturnType<typeof createFakeTasks>;
