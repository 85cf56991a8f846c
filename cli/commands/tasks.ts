/** Tasks that are there already: list, show, watch, cancel, retry, logs, priority. */
import {
  submitTaskResponseSchema,
  taskListSchema,
  taskSummarySchema,
  timelineSchema,
  type TaskSummary,
} from '../../shared-types/index.ts';
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { downloadOutputs } from '../download.ts';
import { duration, printable } from '../progress-line.ts';
import { table } from '../table.ts';
import { readTask } from '../watch.ts';
import { followTasks } from './submit.ts';

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
  return tasks;
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

/** The task as the API has it, its workflow with every digit. */
export const showCommand = async (id: string, { api, out }: Context): Promise<ExitCode> => {
  out.write(`${await api.text({ path: pathOf(id) })}\n`);
  return EXIT.ok;
};

export const watchCommand = async (
  ids: readonly string[],
  download: string | undefined,
  context: Context,
): Promise<ExitCode> =>
  followTasks(
    ids.map((id) => ({ id, name: id.slice(0, 8) })),
    download,
    context,
  );

export const downloadCommand = async (id: string, folder: string, context: Context): Promise<ExitCode> => {
  const files = await downloadOutputs(await readTask(id, context.api), folder);
  if (context.json) printJson(context, { files });
  else context.out.write(files.map((file) => `${file}\n`).join(''));
  return EXIT.ok;
};

/** Each id on its own: one that cannot be cancelled does not keep the others. The first error ends it, at the end. */
export const cancelCommand = async (ids: readonly string[], context: Context): Promise<ExitCode> => {
  const tasks: TaskSummary[] = [];
  let failure: unknown;
  for (const id of ids) {
    try {
      tasks.push(await context.api.json(taskSummarySchema, { method: 'DELETE', path: pathOf(id) }));
    } catch (error) {
      failure ??= error;
    }
  }
  if (context.json) printJson(context, { tasks });
  else
    for (const { id, status } of tasks)
      context.out.write(`${id} ${status === 'cancelled' ? 'cancelled' : 'is being cancelled'}\n`);
  if (failure !== undefined) throw failure;
  return EXIT.ok;
};

export const retryCommand = async (id: string, context: Context): Promise<ExitCode> => {
  const task = await context.api.json(submitTaskResponseSchema, {
    method: 'POST',
    path: pathOf(id, '/retry'),
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
  if (context.json) printJson(context, timeline);
  else
    for (const { at, attempt, what, message, duration_ms } of timeline.entries) {
      const took = duration_ms === null ? '' : `  (${duration(duration_ms / 1000)})`;
      context.out.write(`${at}  ${attempt}  ${what.padEnd(13)}  ${printable(message)}${took}\n`);
    }
  return EXIT.ok;
};
