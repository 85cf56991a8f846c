/** The commands and their options; what they do is in `commands/`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { createApi } from './api.ts';
import { EXIT, type ExitCode } from './cli-error.ts';
import { createKeyCommand, listKeysCommand, revokeKeyCommand } from './commands/keys.ts';
import { submitCommand } from './commands/submit.ts';
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
import { metricsCommand, queueCommand, setDrainingCommand, workersCommand } from './commands/workers.ts';
import { listWorkflowsCommand, putWorkflowCommand, removeWorkflowCommand } from './commands/workflows.ts';
import type { Context } from './context.ts';
import type { Output } from './progress-view.ts';
import { readSettings } from './settings.ts';

export interface ProgramOptions {
  readonly out: Output;
  readonly progress: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Told how the command ended. */
  readonly ended: (code: ExitCode) => void;
}

interface GlobalOptions {
  readonly api?: string;
  readonly key?: string;
  readonly json?: boolean;
}

const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`);
  };

const collect = (text: string, before: readonly string[]): string[] => [...before, text];

const HELP = `
Where and who:
  --api, COMFY_API_URL    the task API (default: what npm start wrote, else http://127.0.0.1:8080)
  --key, COMFY_API_KEY    an API key or a token; none is needed on a laptop

Exit codes:
  ${EXIT.ok} done   ${EXIT.failed} a task failed   ${EXIT.usage} wrong use or refused   ${EXIT.cancelled} cancelled   ${EXIT.unavailable} API out of reach   ${EXIT.unauthorized} not allowed

Examples:
  comfy-pipeline submit workflow.json --set prompt="a red fox" --set seed=7 --watch
  comfy-pipeline submit portrait_v2 --set image=@face.png --watch --json
  comfy-pipeline workflows put portrait_v2 portrait.json --param prompt=6.inputs.text --param image=10.inputs.image
  comfy-pipeline ls --status running
  comfy-pipeline cancel 0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10`;

/** Adds the commands about tasks. */
const addTaskCommands = (program: Command, run: Runner): void => {
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
      run((context) =>
        submitCommand(
          workflows,
          {
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
          },
          context,
        ),
      ),
    );
  program
    .command('ls')
    .description('Your tasks, newest first.')
    .addOption(
      new Option('--status <status>', 'only these').choices([
        'pending',
        'assigned',
        'running',
        'completed',
        'failed',
        'cancelled',
      ]),
    )
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
  program
    .command('logs')
    .description('What happened to a task: its attempts and their nodes.')
    .argument('<task>')
    .action((id: string) => run((context) => logsCommand(id, context)));
};

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

type Runner = (command: (context: Context) => Promise<ExitCode>) => Promise<void>;

const addWorkerCommands = (program: Command, run: Runner): void => {
  program
    .command('workers')
    .description('The workers.')
    .action(() => run(workersCommand));
  for (const action of ['drain', 'resume'] as const) {
    program
      .command(action)
      .description(
        action === 'drain' ? 'Give a worker nothing more.' : 'Take a drained worker into service again.',
      )
      .argument('<worker>')
      .action((id: string) => run((context) => setDrainingCommand(id, action, context)));
  }
  program
    .command('metrics')
    .description('Your tasks by state, and the workers by state.')
    .action(() => run(metricsCommand));
  const queue = program.command('queue').description('Pause and resume the start of further tasks.');
  for (const action of ['pause', 'resume'] as const) {
    queue
      .command(action)
      .option('--all', 'everybody’s queue (operators)', false)
      .action((given: { all: boolean }) =>
        run((context) => queueCommand(action, given.all ? 'all' : 'mine', context)),
      );
  }
};

const addAccountCommands = (program: Command, run: Runner): void => {
  const workflows = program.command('workflows').description('Workflows that are kept under an id.');
  workflows
    .command('put')
    .argument('<id>')
    .argument('<file>', 'API-format JSON')
    .option('--param <name=target>', 'name=<nodeId>.inputs.<input> (repeatable)', collect, [])
    .action((id: string, file: string, given: { param: string[] }) =>
      run((context) => putWorkflowCommand(id, file, given.param, context)),
    );
  workflows.command('ls').action(() => run(listWorkflowsCommand));
  workflows
    .command('rm')
    .argument('<id>')
    .action((id: string) => run((context) => removeWorkflowCommand(id, context)));

  const keys = program.command('keys').description('API keys.');
  keys
    .command('create')
    .argument('[name]', 'what it is for', 'command line')
    .option(
      '--scope <scope>',
      'tasks:read, tasks:write, workers:read, keys:write, admin (repeatable)',
      collect,
      [],
    )
    .option('--days <n>', 'until it expires', wholeNumber(1, 3650))
    .option('--user <id>', 'whose key it is to be (operators)')
    .action((name: string, given: { scope: string[]; days?: number; user?: string }) =>
      run((context) =>
        createKeyCommand({ name, scopes: given.scope, days: given.days, user: given.user }, context),
      ),
    );
  keys.command('ls').action(() => run(listKeysCommand));
  keys
    .command('revoke')
    .argument('<id>')
    .action((id: string) => run((context) => revokeKeyCommand(id, context)));
};

/** The whole command line; nothing is called before `parseAsync`. */
export const createProgram = (options: ProgramOptions): Command => {
  const { out, progress, env, signal, ended } = options;
  const program = new Command('comfy-pipeline')
    .description('Queue ComfyUI workflows, watch them, and get what they make.')
    .option('--api <url>', 'the task API')
    .option('--key <key>', 'API key or token')
    .option('--json', 'one JSON document instead of text')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void out.write(text),
      writeErr: (text) => void progress.write(text),
    })
    .addHelpText('after', HELP);
  const run: Runner = async (command) => {
    const { api, key, json = false }: GlobalOptions = program.opts();
    const context = { api: createApi(readSettings({ api, key }, env)), out, progress, json, signal };
    ended(await command(context));
  };
  addTaskCommands(program, run);
  addWorkerCommands(program, run);
  addAccountCommands(program, run);
  return program;
};
