/** Tasks that are there already: list, show, watch, cancel, retry, logs, priority. */
import { randomUUID } from 'node:crypto';
import { parse, stringify } from 'lossless-json';
import {
  submitTaskResponseSchema,
  taskListSchema,
  taskSummarySchema,
  timelineSchema,
  type TaskSummary,
} from '../../shared-types/index.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { downloadOutputs } from '../download.ts';
import { printable, printableJson } from '../printable.ts';
import { duration } from '../progress-line.ts';
import { table } from '../table.ts';
import { hasEnded, readTask, readTasks } from '../watch.ts';
import { followTasks, printDownloaded, printFailures } from './follow.ts';

const pathOf = (id: string, rest = ''): string => `/tasks/${encodeURIComponent(id)}${rest}`;

export interface ListOptions {
  readonly status: string | undefined;
  readonly workflow: string | undefined;
  /** Tasks in all. */
  readonly limit: number;
}

const PAGE = 100;

/** Pages until there are `limit`. */
const listTasks = async (
  { status, workflow, limit }: ListOptions,
  { api }: Context,
): Promise<TaskSummary[]> => {
  const tasks: TaskSummary[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, limit - tasks.length)) });
    if (status !== undefined) query.set('status', status);
    if (workflow !== undefined) query.set('workflow_id', workflow);
    if (cursor !== null) query.set('cursor', cursor);
    const page: { readonly tasks: TaskSummary[]; readonly next_cursor: string | null } = await api.json(
      taskListSchema,
      { path: `/tasks?${query.toString()}` },
    );
    tasks.push(...page.tasks);
    cursor = page.next_cursor;
  } while (cursor !== null && tasks.length < limit);
  return tasks.slice(0, limit);
};

export const lsCommand = async (options: ListOptions, context: Context): Promise<ExitCode> => {
  const tasks = await listTasks(options, context);
  if (context.json) printJson(context, { tasks });
  else
    context.out.write(
      table(
        ['ID', 'STATUS', '%', 'PRIORITY', 'WORKFLOW', 'WORKER', 'CREATED'],
        tasks.map((task) => [
          task.id,
          task.cancel_requested && task.completed_at === null ? 'cancelling' : task.status,
          String(Math.floor(task.progress)),
          String(task.priority),
          task.workflow_id,
          task.worker_id,
          task.created_at,
        ]),
      ),
    );
  return EXIT.ok;
};

/** An answer of the API as JSON, its numbers with every digit. */
export const printAnswer = async (path: string, { api, out }: Context): Promise<ExitCode> => {
  const text = await api.text({ path });
  try {
    out.write(`${printableJson(stringify(parse(text), undefined, 2) ?? text)}\n`);
    return EXIT.ok;
  } catch {
    throw new CliError(EXIT.unavailable, `the API at ${api.url} answered something that is no JSON`);
  }
};

export const showCommand = (id: string, context: Context): Promise<ExitCode> =>
  printAnswer(pathOf(id), context);

/** Ids are read first: a wrong one is told before anything is watched. */
export const watchCommand = async (
  ids: readonly string[],
  download: string | undefined,
  context: Context,
): Promise<ExitCode> => followTasks(await readTasks([...new Set(ids)], context.api), download, context);

export const downloadCommand = async (id: string, folder: string, context: Context): Promise<ExitCode> => {
  const { api, sleep, signal, json, out, progress } = context;
  const task = await readTask(id, api);
  if (!hasEnded(task))
    throw new CliError(EXIT.usage, `this task is ${task.status}; watch it: comfy-pipeline watch ${id}`);
  const downloaded = await downloadOutputs(task, { folder, baseUrl: api.url, sleep, signal });
  if (json) printJson(context, { files: downloaded.files });
  else {
    for (const path of downloaded.files) out.write(`${printable(path)}\n`);
    if (downloaded.files.length + downloaded.failures.length === 0)
      progress.write('this task has no outputs\n');
    printDownloaded(task, { files: [], failures: [] }, context);
  }
  printFailures(downloaded, context);
  return downloaded.failures.length === 0 ? EXIT.ok : EXIT.failed;
};

const failuresOf = (failures: readonly (readonly [id: string, error: CliError])[]): CliError | undefined => {
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) return first?.[1];
  const lines = failures.map(([id, { message }]) => `${id}: ${message}`);
  return new CliError(first[1].exitCode, `${failures.length} tasks could not be cancelled`, {
    details: lines,
  });
};

/** Each id on its own: one that cannot be cancelled does not keep the others. */
export const cancelCommand = async (ids: readonly string[], context: Context): Promise<ExitCode> => {
  const tasks: TaskSummary[] = [];
  const failures: (readonly [string, CliError])[] = [];
  for (const id of new Set(ids)) {
    try {
      const task = await context.api.json(taskSummarySchema, { method: 'DELETE', path: pathOf(id) });
      tasks.push(task);
      const done = task.status === 'cancelled' ? 'cancelled' : 'is being cancelled';
      if (!context.json) context.out.write(`${task.id} ${done}\n`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failures.push([id, error]);
      // What keeps one from the API keeps all.
      if (error.exitCode !== EXIT.usage) break;
    }
  }
  if (context.json) printJson(context, { tasks });
  const failure = failuresOf(failures);
  if (failure !== undefined) throw failure;
  return EXIT.ok;
};

export const retryCommand = async (id: string, context: Context): Promise<ExitCode> => {
  const task = await context.api.json(submitTaskResponseSchema, {
    method: 'POST',
    path: pathOf(id, '/retry'),
    headers: { 'idempotency-key': randomUUID() },
  });
  if (context.json) printJson(context, task);
  else context.out.write(`${task.id}\n`);
  return EXIT.ok;
};

export const priorityCommand = async (id: string, priority: number, context: Context): Promise<ExitCode> => {
  const body = JSON.stringify({ priority });
  const task = await context.api.json(taskSummarySchema, { method: 'PATCH', path: pathOf(id), body });
  if (context.json) printJson(context, task);
  else context.out.write(`${task.id} has priority ${task.priority}\n`);
  return EXIT.ok;
};

/** What happened to a task: its attempts, and the nodes of each. */
export const logsCommand = async (id: string, context: Context): Promise<ExitCode> => {
  const timeline = await context.api.json(timelineSchema, { path: pathOf(id, '/timeline') });
  if (context.json) {
    printJson(context, timeline);
    return EXIT.ok;
  }
  for (const { at, attempt, what, message, duration_ms } of timeline.entries) {
    const took = duration_ms === null ? '' : `  (${duration(duration_ms / 1000)})`;
    context.out.write(`${at}  ${attempt}  ${what.padEnd(14)}  ${printable(message)}${took}\n`);
  }
  if (timeline.truncated) context.progress.write('there is more, which is not shown\n');
  return EXIT.ok;
};
