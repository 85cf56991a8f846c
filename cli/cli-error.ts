/** What the command line ends with when something is wrong. One line for people; the code says what scripts need. */

/** Documented in `--help`: scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** A task failed, or a download did. */
  failed: 1,
  /** The command line or a file on it is wrong, or the API refused the request. */
  usage: 2,
  /** A task was cancelled. */
  cancelled: 3,
  /** The API cannot be reached or failed; the same call may succeed later. */
  unavailable: 4,
  /** The credentials are missing, wrong or not enough. */
  unauthorized: 5,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface CliErrorDetails {
  /** Further lines, such as what is wrong with each node. */
  readonly details?: readonly string[];
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** Everything that a command throws. `exitCode` is its code, `message` one line for people. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  readonly details: readonly string[];
  /** True when the same call may succeed later. */
  readonly retryable: boolean;
  constructor(exitCode: ExitCode, message: string, more: CliErrorDetails = {}) {
    super(message, { cause: more.cause });
    this.exitCode = exitCode;
    this.details = more.details ?? [];
    this.retryable = more.retryable ?? exitCode === EXIT.unavailable;
  }
}
