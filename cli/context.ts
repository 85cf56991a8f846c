/** What every command is given: the API, where to write, and how. */
import type { Api, Sleep } from './api.ts';
import type { ExitCode } from './cli-error.ts';
import { printableJson } from './printable.ts';
import type { Output } from './progress-view.ts';

export interface Context {
  readonly api: Api;
  /** Results: stdout. */
  readonly out: Output;
  /** Progress: stderr, so that results can be piped. */
  readonly progress: Output;
  /** One JSON document instead of text. */
  readonly json: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly sleep: Sleep;
}

/** Runs a command with what the global options say. */
export type Runner = (command: (context: Context) => Promise<ExitCode>) => Promise<void>;

export const printJson = ({ out }: Context, value: unknown): void => {
  out.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
};
