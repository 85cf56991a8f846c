import type { SubmitTaskResponse } from '../../shared-types/index.ts';
import type { ExitCode } from '../cli-error.ts';
import { EXIT } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import { printable } from '../printable.ts';
import { createUploader, draftOf, packDraft, submit, type SubmitOptions } from '../submission.ts';
import { followTasks } from './follow.ts';

export interface SubmitCommandOptions extends SubmitOptions {
  readonly watch: boolean;
  /** Each workflow so often. */
  readonly repeat: number;
  /** Folder for the outputs; undefined: nothing is downloaded. */
  readonly download: string | undefined;
}

const printSubmitted = (tasks: readonly SubmitTaskResponse[], context: Context): void =>
  printJson(context, { tasks: tasks.map(({ id, workflow_id }) => ({ id, workflow_id })) });

/** Everything is read and checked before the first is sent; what was sent is told, whatever comes after it. */
const submitAll = async (
  workflows: readonly string[],
  options: SubmitCommandOptions,
  context: Context,
): Promise<SubmitTaskResponse[]> => {
  const drafts = await inParallel(workflows, 1, (workflow) => draftOf(workflow, options));
  const upload = createUploader(context);
  const submitted: SubmitTaskResponse[] = [];
  try {
    for (const draft of drafts) {
      const body = await packDraft(draft, upload, context);
      for (let n = 0; n < options.repeat; n += 1) {
        const task = await submit(body, context.api);
        submitted.push(task);
        if (!context.json)
          (options.watch ? context.progress : context.out).write(
            `${task.id}  ${printable(task.workflow_id)}\n`,
          );
      }
    }
  } catch (error) {
    if (context.json && submitted.length > 0) printSubmitted(submitted, context);
    throw error;
  }
  return submitted;
};

/** `submit`: one task a workflow, and a repetition. */
export const submitCommand = async (
  workflows: readonly string[],
  options: SubmitCommandOptions,
  context: Context,
): Promise<ExitCode> => {
  const submitted = await submitAll(workflows, options, context);
  if (options.watch) return followTasks(submitted, options.download, context);
  if (context.json) printSubmitted(submitted, context);
  return EXIT.ok;
};
