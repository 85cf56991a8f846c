import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { downloadOutputs } from '../download.ts';
import { duration, printable } from '../progress-line.ts';
import { submit, type SubmitOptions } from '../submission.ts';
import { watchTasks, type SeenTask } from '../watch.ts';

export interface SubmitCommandOptions extends SubmitOptions {
  readonly watch: boolean;
  /** Each workflow so often. */
  readonly repeat: number;
  /** Folder for the outputs; undefined: nothing is downloaded. */
  readonly download: string | undefined;
}

/** The worst outcome decides: failed before cancelled before completed. */
export const exitCodeOf = (tasks: readonly Pick<SeenTask, 'status'>[]): ExitCode => {
  if (tasks.some(({ status }) => status === 'failed')) return EXIT.failed;
  return tasks.some(({ status }) => status === 'cancelled') ? EXIT.cancelled : EXIT.ok;
};

const tookSeconds = ({ created_at, completed_at }: SeenTask): number =>
  completed_at === null ? 0 : (Date.parse(completed_at) - Date.parse(created_at)) / 1000;

const resultLine = (task: SeenTask): string => {
  const took = ` in ${duration(tookSeconds(task))}`;
  if (task.status === 'completed') return `${task.id} completed${took}`;
  return `${task.id} ${task.status}${task.error === '' ? '' : `: ${printable(task.error)}`}`;
};

const downloadAll = async (tasks: readonly SeenTask[], folder: string | undefined) => {
  const files = new Map<string, readonly string[]>();
  if (folder === undefined) return files;
  for (const task of tasks)
    if (task.status === 'completed') files.set(task.id, await downloadOutputs(task, folder));
  return files;
};

/** Shows the tasks to their end, downloads what they made, and answers what scripts want to know. */
export const followTasks = async (
  tasks: readonly { readonly id: string; readonly name: string }[],
  folder: string | undefined,
  context: Context,
): Promise<ExitCode> => {
  const { api, json, progress, signal, out } = context;
  const ended = await watchTasks(tasks, api, { output: progress, quiet: json, signal });
  const files = await downloadAll(ended, folder);
  if (json)
    printJson(context, { tasks: ended.map((task) => ({ ...task, files: files.get(task.id) ?? [] })) });
  else
    for (const task of ended) {
      out.write(`${resultLine(task)}\n`);
      for (const path of files.get(task.id) ?? []) out.write(`  ${path}\n`);
      const missing = task.result?.missing_outputs ?? [];
      for (const { filename, error } of missing)
        out.write(`  ${printable(`${filename} is missing: ${error}`)}\n`);
    }
  return exitCodeOf(ended);
};

/** `submit`: one task a workflow, and a repetition. */
export const submitCommand = async (
  workflows: readonly string[],
  options: SubmitCommandOptions,
  context: Context,
): Promise<ExitCode> => {
  const submitted: { readonly id: string; readonly name: string; readonly workflow_id: string }[] = [];
  for (const workflow of workflows) {
    for (let n = 0; n < options.repeat; n += 1) {
      if (context.signal.aborted) throw new CliError(EXIT.cancelled, 'stopped');
      const { id, workflow_id } = await submit(workflow, options, context.api);
      submitted.push({ id, workflow_id, name: id.slice(0, 8) });
      if (!context.json)
        (options.watch ? context.progress : context.out).write(`${id}  ${printable(workflow_id)}\n`);
    }
  }
  if (options.watch) return followTasks(submitted, options.download, context);
  if (context.json)
    printJson(context, { tasks: submitted.map(({ id, workflow_id }) => ({ id, workflow_id })) });
  return EXIT.ok;
};
