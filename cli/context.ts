/** What every command is given: the API, where to write, and how. */
import type { Api } from './api.ts';
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
}

export const printJson = ({ out }: Context, value: unknown): void => {
  out.write(`${JSON.stringify(value, null, 2)}\n`);
};
