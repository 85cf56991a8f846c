/** `npx comfy-pipeline`: parses, runs, and turns every error into one line and an exit code. */
import { CommanderError } from 'commander';
import { ClientError } from '../web/index.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import { printable } from './progress-line.ts';
import { createProgram } from './program.ts';

const isHelp = ({ code }: CommanderError): boolean =>
  code === 'commander.helpDisplayed' || code === 'commander.help';

const codeOf = (error: unknown, interrupted: boolean): ExitCode => {
  if (error instanceof CommanderError) return isHelp(error) ? EXIT.ok : EXIT.usage;
  if (interrupted) return EXIT.cancelled;
  if (error instanceof CliError) {
    process.stderr.write(`error: ${printable(error.message)}\n`);
    for (const line of error.details) process.stderr.write(`  ${printable(line)}\n`);
    return error.exitCode;
  }
  if (error instanceof ClientError) {
    process.stderr.write(`error: ${printable(error.message)}\n`);
    return EXIT.unavailable;
  }
  process.stderr.write(`error: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  return EXIT.failed;
};

/** @param args what stands after the name of the command */
export const main = async (args: readonly string[]): Promise<ExitCode> => {
  const stopping = new AbortController();
  const stop = (): void => {
    process.stderr.write('stopped watching; the tasks go on (cancel ends them)\n');
    stopping.abort(new CliError(EXIT.cancelled, 'stopped'));
  };
  process.once('SIGINT', stop);
  let code: ExitCode = EXIT.ok;
  const program = createProgram({
    out: process.stdout,
    progress: process.stderr,
    env: process.env,
    signal: stopping.signal,
    ended: (ended) => {
      code = ended;
    },
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return codeOf(error, stopping.signal.aborted);
  } finally {
    process.removeListener('SIGINT', stop);
  }
};
