/** Answers of the task API, checked by hand: no schema library goes into the page. */
import type { FailureReason, JobStatus } from '../../../shared-types/index.ts';
import {
  amountOf,
  countOf,
  fieldsOf,
  listOf,
  nameOf,
  objectOf,
  oneOf,
  or,
  orNull,
  parseJson,
  percentageOf,
  snakeCase,
  textOf,
  word,
  type Reader,
} from '../../client/guards.ts';
import { readTask, type TaskView } from '../../client/read-task.ts';
import { rawValue } from '../workflow/edit-workflow.ts';
import type { NamedParameters } from '../workflow/find-parameters.ts';
import type { NodeProblem } from './pipeline-error.ts';

const statusOf: Reader<JobStatus> = oneOf(
  'pending',
  'assigned',
  'running',
  'completed',
  'failed',
  'cancelled',
);
const flag: Reader<boolean> = (value) => value === true;
const said = or(textOf, '');

/** A task as lists show it. */
export interface TaskRow {
  readonly id: string;
  readonly workflowId: string;
  readonly status: JobStatus;
  readonly priority: number;
  readonly workerId: string;
  readonly createdAt: string | null;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly error: string;
  readonly attempt: number;
  readonly progress: number;
  readonly cancelRequested: boolean;
  readonly retryOf: string | null;
}

export interface TaskPage {
  readonly tasks: readonly TaskRow[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

export interface Attempt {
  readonly attempt: number;
  readonly status: string;
  readonly workerId: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly error: string;
  readonly reason: FailureReason | null;
  readonly nodeId: string | null;
}

export interface TaskDetails extends TaskRow {
  readonly view: TaskView;
  readonly attempts: readonly Attempt[];
  /** The workflow as text, all digits kept; undefined when the answer could not hold it. */
  readonly payload: string | undefined;
  readonly payloadUrl: string | undefined;
  /** The answer itself. */
  readonly text: string;
}

export interface TimelineEntry {
  readonly at: string;
  readonly attempt: number;
  readonly what: string;
  readonly message: string;
  readonly workerId: string | null;
  readonly nodeId: string | null;
  readonly nodeName: string | null;
  readonly nodeType: string | null;
  readonly durationMs: number | null;
}

export interface WorkerCard {
  readonly id: string;
  readonly status: string;
  readonly endpoint: string;
  readonly currentTaskId: string;
  readonly queuedTasks: number;
  readonly lastActiveAt: string | null;
  readonly tags: readonly string[];
  readonly comfyUiVersion: string | null;
  readonly provider: string;
}

export interface QueueState {
  readonly paused: boolean;
  readonly allPaused: boolean;
}

export interface StoredWorkflow {
  readonly id: string;
  readonly parameters: NamedParameters;
}

const rowShape = {
  id: nameOf,
  status: statusOf,
  workflowId: said,
  priority: or(countOf, 5),
  workerId: said,
  createdAt: orNull(textOf),
  startedAt: orNull(textOf),
  completedAt: orNull(textOf),
  error: said,
  attempt: or(countOf, 0),
  progress: or(percentageOf, 0),
  cancelRequested: flag,
  retryOf: orNull(textOf),
};
export const readRow = objectOf<TaskRow>(rowShape, snakeCase);

/** The list below a key, or undefined where there is none. */
const listAt =
  <T>(key: string, read: Reader<T>, max: number): Reader<readonly T[]> =>
  (value) => {
    const list = fieldsOf(value)?.[key];
    return Array.isArray(list) ? listOf(read, max)(list) : undefined;
  };

const rowsOf = listAt('tasks', readRow, 100);

export const readPage: Reader<TaskPage> = (value) => {
  const tasks = rowsOf(value);
  return tasks && { tasks, nextCursor: orNull(nameOf)(fieldsOf(value)?.['next_cursor']) ?? null };
};

const readAttempt = objectOf<Attempt>(
  {
    attempt: countOf,
    status: said,
    workerId: said,
    startedAt: orNull(textOf),
    endedAt: orNull(textOf),
    error: said,
    reason: orNull(word<FailureReason>('internal')),
    nodeId: orNull(textOf),
  },
  snakeCase,
);

/** From the text of the answer, for the workflow in it must keep its digits. */
export const readDetails = (text: string): TaskDetails | undefined => {
  const fields = fieldsOf(parseJson(text));
  const row = readRow(fields);
  const view = readTask(fields);
  if (fields === undefined || row === undefined || view === undefined) return undefined;
  const payload = fieldsOf(fields['payload']) === undefined ? undefined : rawValue(text, ['payload']);
  const attempts = listOf(readAttempt, 1000)(fields['attempts']) ?? [];
  return { ...row, view, attempts, payload, payloadUrl: textOf(fields['payload_url']), text };
};

const instant: Reader<string> = (value) => {
  const text = textOf(value);
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : text;
};

export const readTimeline = listAt(
  'entries',
  objectOf<TimelineEntry>(
    {
      at: instant,
      attempt: or(countOf, 0),
      what: said,
      message: said,
      workerId: orNull(textOf),
      nodeId: orNull(textOf),
      nodeName: orNull(textOf),
      nodeType: orNull(textOf),
      durationMs: orNull(amountOf),
    },
    snakeCase,
  ),
  10_000,
);

const spelledWorker = (key: string): string =>
  key === 'comfyUiVersion' ? 'comfyui_version' : snakeCase(key);

export const readWorkers = listAt(
  'workers',
  objectOf<WorkerCard>(
    {
      id: nameOf,
      status: said,
      endpoint: said,
      currentTaskId: said,
      queuedTasks: or(countOf, 0),
      lastActiveAt: orNull(textOf),
      tags: listOf(textOf, 64),
      comfyUiVersion: orNull(nameOf),
      provider: said,
    },
    spelledWorker,
  ),
  1000,
);

const strict: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);
export const readQueue = objectOf<QueueState>({ paused: strict, allPaused: flag }, snakeCase);

const target: Reader<string | readonly string[]> = (value) =>
  Array.isArray(value) ? listOf(textOf, 100)(value) : textOf(value);

export const readParameters = (value: unknown): NamedParameters =>
  Object.fromEntries(
    Object.entries(fieldsOf(value) ?? {}).flatMap(([name, found]) => {
      const read = target(found);
      return read === undefined ? [] : [[name, read] as const];
    }),
  );

export const readStored = objectOf<StoredWorkflow>({ id: nameOf, parameters: readParameters });
export const readStoredList = listAt('workflows', readStored, 1000);

export interface Upload {
  readonly fileId: string;
  readonly uploadUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

const headersOf: Reader<Upload['headers']> = (value) =>
  Object.fromEntries(
    Object.entries(fieldsOf(value) ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );

export const readUpload = objectOf<Upload>(
  { fileId: nameOf, uploadUrl: nameOf, headers: headersOf },
  snakeCase,
);

const problemsOfNode = (nodeId: string, value: unknown): readonly NodeProblem[] => {
  const node = fieldsOf(value);
  const classType = textOf(node?.['class_type']) ?? '';
  const errors = listOf(fieldsOf, 100)(node?.['errors']) ?? [];
  return errors.map((error) => ({
    nodeId,
    classType,
    input: textOf(error['input']),
    type: textOf(error['type']) ?? '',
    message: textOf(error['message']) ?? 'is refused',
  }));
};

/** What a refusal says of each node; empty when it is about something else. */
export const readProblems = (body: unknown): readonly NodeProblem[] =>
  Object.entries(fieldsOf(fieldsOf(body)?.['node_errors']) ?? {})
    .slice(0, 100)
    .flatMap(([nodeId, node]) => problemsOfNode(nodeId, node));
