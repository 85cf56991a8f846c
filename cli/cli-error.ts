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

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** Further lines, such as what is wrong with each node. */
  readonly details: readonly string[];
  constructor(exitCode: ExitCode, message: string, details: readonly string[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}
