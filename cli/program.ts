/** The command line as a whole; its commands are in `*-arguments.ts`, what they do is in `commands/`. */
import { Command } from 'commander';
import { addAccountCommands } from './account-arguments.ts';
import { createApi, type Sleep } from './api.ts';
import { EXIT, type ExitCode } from './cli-error.ts';
import type { Runner } from './context.ts';
import { printable } from './printable.ts';
import type { Output } from './progress-view.ts';
import { readSettings } from './settings.ts';
import { addTaskCommands } from './task-arguments.ts';
import { addWorkerCommands } from './worker-arguments.ts';

export interface ProgramOptions {
  readonly out: Output;
  readonly progress: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly sleep: Sleep;
  /** Told how the command ended. */
  readonly ended: (code: ExitCode) => void;
}

interface GlobalOptions {
  readonly api?: string;
  readonly key?: string;
  readonly json?: boolean;
}

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

/** What was typed may have come from anywhere. */
const printableLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => printable(line))
    .join('\n');

/** Nothing is called before `parseAsync`, which throws CommanderError and CliError. */
export const createProgram = (options: ProgramOptions): Command => {
  const { out, progress, env, signal, sleep, ended } = options;
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
      outputError: (text, write) => write(printableLines(text)),
    })
    .addHelpText('after', HELP);
  const run: Runner = async (command) => {
    const { api, key, json = false }: GlobalOptions = program.opts();
    const settings = readSettings({ api, key }, env);
    const context = { api: createApi({ ...settings, sleep, signal }), out, progress, json, signal, sleep };
    ended(await command(context));
  };
  addTaskCommands(program, run);
  addWorkerCommands(program, run);
  addAccountCommands(program, run);
  return program;
};
