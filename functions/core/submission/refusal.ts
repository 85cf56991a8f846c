/** Why a submission is not accepted, in one line for the caller. */
import { oneLine } from '../workflow/one-line.ts';
import type { NodeErrors } from '../workflow/node-errors.ts';

export interface Refusal {
  readonly kind: 'refused';
  readonly status: 400 | 404 | 409 | 413;
  readonly message: string;
  /** By node, when the workflow itself is at fault. */
  readonly nodeErrors?: NodeErrors;
}

export const refuse = (status: Refusal['status'], message: string, nodeErrors?: NodeErrors): Refusal => ({
  kind: 'refused',
  status,
  message: oneLine(message),
  ...(nodeErrors === undefined ? {} : { nodeErrors }),
});
