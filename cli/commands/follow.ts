/** Tasks to their end: bars, downloads, and the outcome as an exit code. */
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { downloadOutputs, type Downloaded } from '../download.ts';
import { cutTo, displayWidth, padTo, printable } from '../printable.ts';
import { duration } from '../progress-line.ts';
import { watchTasks, type SeenTask, type WatchedTask } from '../watch.ts';

export interface FollowedTask {
  readonly id: string;
  readonly workflow_id: string;
}

const NAME_COLUMNS = 28;
const NOTHING: Downloaded = { files: [], failures: [] };

/** The worst outcome decides: failed before cancelled before completed. */
export const exitCodeOf = (tasks: readonly Pick<SeenTask, 'status'>[]): ExitCode => {
  if (tasks.some(({ status }) => status === 'failed')) return EXIT.failed;
  return tasks.some(({ status }) => status === 'cancelled') ? EXIT.cancelled : EXIT.ok;
};

const nameTasks = (tasks: readonly FollowedTask[]): WatchedTask[] => {
  const named = tasks.map(({ id, workflow_id }) => ({
    id,
    name: cutTo(printable(`${id.slice(0, 8)} ${workflow_id}`), NAME_COLUMNS),
  }));
  const widest = named.reduce((most, { name }) => Math.max(most, displayWidth(name)), 0);
  return named.map(({ id, name }) => ({ id, name: padTo(name, widest) }));
};

const tookSeconds = ({ created_at, completed_at }: SeenTask): number =>
  completed_at === null ? 0 : (Date.parse(completed_at) - Date.parse(created_at)) / 1000;

const resultLine = (task: SeenTask): string => {
  if (task.status === 'completed') return `${task.id} completed in ${duration(tookSeconds(task))}`;
  return `${task.id} ${task.status}${task.error === '' ? '' : `: ${printable(task.error)}`}`;
};

/** Paths to stdout, what could not be had to stderr. */
export const printDownloaded = (task: SeenTask, downloaded: Downloaded, context: Context): void => {
  const { out, progress } = context;
  for (const path of downloaded.files) out.write(`  ${printable(path)}\n`);
  for (const { filename, error } of task.result?.missing_outputs ?? [])
    progress.write(`${printable(`${filename} is missing: ${error}`)}\n`);
};

export const printFailures = ({ failures }: Downloaded, { progress }: Context): void => {
  for (const failure of failures) progress.write(`error: ${printable(failure)}\n`);
};

const downloadAll = async (
  tasks: readonly SeenTask[],
  folder: string | undefined,
  { api, sleep, signal }: Context,
): Promise<ReadonlyMap<string, Downloaded>> => {
  const all = new Map<string, Downloaded>();
  if (folder === undefined) return all;
  for (const task of tasks)
    if (task.status === 'completed')
      all.set(task.id, await downloadOutputs(task, { folder, baseUrl: api.url, sleep, signal }));
  return all;
};

/** Shows the tasks to their end, downloads what they made, and answers what scripts want to know. */
const follow = async (
  tasks: readonly FollowedTask[],
  folder: string | undefined,
  context: Context,
): Promise<ExitCode> => {
  const { api, json, progress, signal, out, sleep } = context;
  const ended = await watchTasks(nameTasks(tasks), api, { output: progress, quiet: json, signal, sleep });
  const downloads = await downloadAll(ended, folder, context);
  const of = (task: SeenTask): Downloaded => downloads.get(task.id) ?? NOTHING;
  if (json) printJson(context, { tasks: ended.map((task) => ({ ...task, files: of(task).files })) });
  for (const task of ended) {
    if (!json) out.write(`${resultLine(task)}\n`);
    if (!json) printDownloaded(task, of(task), context);
    printFailures(of(task), context);
  }
  return ended.some((task) => of(task).failures.length > 0) ? EXIT.failed : exitCodeOf(ended);
};

/** Like `follow`; whoever stops watching is still told which tasks there are. */
export const followTasks = async (
  tasks: readonly FollowedTask[],
  folder: string | undefined,
  context: Context,
): Promise<ExitCode> => {
  try {
    return await follow(tasks, folder, context);
  } catch (error) {
    if (context.json)
      printJson(context, { tasks: tasks.map(({ id, workflow_id }) => ({ id, workflow_id })) });
    throw error;
  }
};
