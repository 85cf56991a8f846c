/** `submit` and the commands about tasks that are there already. */
import { Option, type Command } from 'commander';
import { jobStatusSchema } from '../shared-types/index.ts';
import { callbacksCommand } from './commands/callbacks.ts';
import { submitCommand, type SubmitCommandOptions } from './commands/submit.ts';
import {
  cancelCommand,
  downloadCommand,
  logsCommand,
  lsCommand,
  priorityCommand,
  retryCommand,
  showCommand,
  watchCommand,
} from './commands/tasks.ts';
import { collect, wholeNumber } from './option-values.ts';
import type { Runner } from './context.ts';

interface SubmitFlags {
  readonly set: string[];
  readonly tag: string[];
  readonly watch: boolean;
  readonly out: string;
  readonly download: boolean;
  readonly repeat: number;
  readonly priority?: number;
  readonly maxRetries?: number;
  readonly timeout?: number;
  readonly session?: string;
  readonly callback?: string;
  readonly name?: string;
}

const submitOptionsOf = (given: SubmitFlags): SubmitCommandOptions => ({
  set: given.set,
  tags: given.tag,
  watch: given.watch,
  repeat: given.repeat,
  download: given.download ? given.out : undefined,
  ...(given.priority === undefined ? {} : { priority: given.priority }),
  ...(given.maxRetries === undefined ? {} : { maxRetries: given.maxRetries }),
  ...(given.timeout === undefined ? {} : { timeoutSeconds: given.timeout }),
  ...(given.session === undefined ? {} : { session: given.session }),
  ...(given.callback === undefined ? {} : { callbackUrl: given.callback }),
  ...(given.name === undefined ? {} : { workflowId: given.name }),
});

const addSubmit = (program: Command, run: Runner): void => {
  program
    .command('submit')
    .description('Queue workflows: API-format files, or ids of stored workflows.')
    .argument('<workflow...>', 'workflow.json, or the id of a stored workflow')
    .option('--set <name=value>', 'an input; name=@file uploads a file (repeatable)', collect, [])
    .option('--watch', 'show progress to the end, and download the outputs', false)
    .option('--out <folder>', 'where outputs go', '.')
    .option('--no-download', 'watch without downloading')
    .option('--priority <0-10>', '10 is first', wholeNumber(0, 10))
    .option('--max-retries <0-10>', 'further attempts', wholeNumber(0, 10))
    .option('--timeout <seconds>', 'how long one attempt may run', wholeNumber(1, 86_400))
    .option('--session <id>', 'groups outputs')
    .option('--callback <url>', 'told of the end')
    .option('--tag <tag>', 'only workers that have it (repeatable)', collect, [])
    .option('--name <workflow-id>', 'what the task is called (default: the name of the file)')
    .option('--repeat <n>', 'each workflow so often', wholeNumber(1, 1000), 1)
    .action((workflows: string[], given: SubmitFlags) =>
      run((context) => submitCommand(workflows, submitOptionsOf(given), context)),
    );
};

const addLooking = (program: Command, run: Runner): void => {
  program
    .command('ls')
    .description('Your tasks, newest first.')
    .addOption(new Option('--status <status>', 'only these').choices(jobStatusSchema.options))
    .option('--workflow <id>', 'only of this workflow')
    .option('--limit <n>', 'so many', wholeNumber(1, 100_000), 50)
    .action((given: { status?: string; workflow?: string; limit: number }) =>
      run((context) =>
        lsCommand({ status: given.status, workflow: given.workflow, limit: given.limit }, context),
      ),
    );
  program
    .command('show')
    .description('One task, as the API has it.')
    .argument('<task>')
    .action((id: string) => run((context) => showCommand(id, context)));
  program
    .command('logs')
    .description('What happened to a task: its attempts and their nodes.')
    .argument('<task>')
    .action((id: string) => run((context) => logsCommand(id, context)));
  program
    .command('callbacks')
    .description('What was delivered to the callback URL of a task.')
    .argument('<task>')
    .option('--redeliver', 'call the URL once more, now', false)
    .action((id: string, given: { redeliver: boolean }) =>
      run((context) => callbacksCommand(id, given.redeliver, context)),
    );
};

const addWatching = (program: Command, run: Runner): void => {
  program
    .command('watch')
    .description('Show the progress of tasks to their end, and download their outputs.')
    .argument('<task...>')
    .option('--out <folder>', 'where outputs go', '.')
    .option('--no-download', 'watch only')
    .action((ids: string[], given: { out: string; download: boolean }) =>
      run((context) => watchCommand(ids, given.download ? given.out : undefined, context)),
    );
  program
    .command('download')
    .description('Download the outputs of a task.')
    .argument('<task>')
    .option('--out <folder>', 'where they go', '.')
    .action((id: string, given: { out: string }) =>
      run((context) => downloadCommand(id, given.out, context)),
    );
};

const addChanging = (program: Command, run: Runner): void => {
  program
    .command('cancel')
    .description('Cancel tasks, wherever they are.')
    .argument('<task...>')
    .action((ids: string[]) => run((context) => cancelCommand(ids, context)));
  program
    .command('retry')
    .description('Queue an ended task again, as a new one.')
    .argument('<task>')
    .action((id: string) => run((context) => retryCommand(id, context)));
  program
    .command('priority')
    .description('Change the priority of a task that waits.')
    .argument('<task>')
    .argument('<0-10>', '10 is first', wholeNumber(0, 10))
    .action((id: string, priority: number) => run((context) => priorityCommand(id, priority, context)));
};

export const addTaskCommands = (program: Command, run: Runner): void => {
  addSubmit(program, run);
  addLooking(program, run);
  addWatching(program, run);
  addChanging(program, run);
};
