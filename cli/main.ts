/** `npx comfy-pipeline`: parses, runs, and turns every error into one line and an exit code. */
import { setTimeout as delay } from 'node:timers/promises';
import { CommanderError } from 'commander';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import { printable } from './printable.ts';
import { createProgram, type ProgramOptions } from './program.ts';
import type { Output } from './progress-view.ts';

export type RunOptions = Omit<ProgramOptions, 'ended'>;

const codeOf = (error: unknown, { progress, signal }: RunOptions): ExitCode => {
  // It has written its line already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (signal.aborted) {
    const message =
      error instanceof CliError && error.exitCode === EXIT.cancelled ? error.message : 'stopped';
    progress.write(`${printable(message)}\n`);
    return EXIT.cancelled;
  }
  progress.write(`error: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  if (!(error instanceof CliError)) return EXIT.failed;
  for (const line of error.details) progress.write(`  ${printable(line)}\n`);
  return error.exitCode;
};

/** @param args what stands after the name of the command */
export const runCli = async (args: readonly string[], options: RunOptions): Promise<ExitCode> => {
  let code: ExitCode = EXIT.ok;
  const ended = (given: ExitCode): void => {
    code = given;
  };
  try {
    await createProgram({ ...options, ended }).parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return codeOf(error, options);
  }
};

/** A reader that goes away, such as `head`, is no error of ours; what it did not read has no effect on the outcome. */
const survivePipes = (): { readonly broken: () => boolean } => {
  let broken = false;
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') broken = true;
    });
  return { broken: () => broken };
};

const flush = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => resolve());
  });

const terminalOf = (stream: NodeJS.WriteStream): Output =>
  process.env['TERM'] === 'dumb' ? { write: (text) => stream.write(text) } : stream;

/** With this process's streams and signals. The first Ctrl-C stops in order, the second at once. */
export const main = async (args: readonly string[]): Promise<ExitCode> => {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new CliError(EXIT.cancelled, 'stopped'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  const { broken } = survivePipes();
  const code = await runCli(args, {
    out: process.stdout,
    progress: terminalOf(process.stderr),
    env: process.env,
    signal: stopping.signal,
    sleep: (ms, signal) => delay(ms, undefined, { signal }),
  });
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  return broken() && code === EXIT.ok ? EXIT.failed : code;
};
